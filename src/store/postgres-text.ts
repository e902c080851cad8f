// PostgreSQL's text cannot hold U+0000, which JSON strings may, and the embedded engine's text does. It is kept as two
// characters that begin with one of the private use area (Unicode 23.5), and that one, where it is meant, as itself twice.

const mark = '\u{e000}'
const nul = '0'

export const toPostgresText = (text: string): string =>
  text.includes('\0') || text.includes(mark) ? text.replaceAll(mark, mark + mark).replaceAll('\0', mark + nul) : text

export const fromPostgresText = (text: string): string =>
  text.includes(mark) ? text.replace(/\u{e000}([0\u{e000}])/gu, (_, kept) => (kept === nul ? '\0' : mark)) : text
