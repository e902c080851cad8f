// HTTP Basic authentication of token requests (RFC 7617). Clients of IBM Cloud are public: `bx:bx`, `kube:kube`, or none.
// Any of them is welcome and none of them proves anything; the name is repeated in the token.

/** What a client may be called. */
export const sane = /^[\w.-]{1,64}$/

/** The user of the header, or null when there is none that could be a client's name. */
export function clientIdOf(authorization: string | undefined): string | null {
  const [, credentials] = authorization?.match(/^basic\s+([A-Za-z0-9+/=_-]+)$/i) ?? []
  if (credentials === undefined) return null
  const [user] = Buffer.from(credentials, 'base64').toString('utf8').split(':', 1)
  return user !== undefined && sane.test(user) ? user : null
}
