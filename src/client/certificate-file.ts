// How the file of a destroy certificate is checked. Pure.

/** For a shell: a verifier is a name that somebody chose, and base64. */
const quoted = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`)

export const verifyCommand = (fileName: string, verifier: string): string =>
  `keyward verify ${quoted(fileName)} --key ${quoted(verifier)}`
