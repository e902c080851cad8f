// The provider's own root keys: one for each account, for volumes that name none. They lie in an account that nobody
// has, in an instance named after the account that they serve, so that no tenant's policy reaches them.

export const providerAccountId = '0'.repeat(32)

/** The 32 digits of the account id, written as a UUID: the form that instances and keys have. */
export const providerInstanceId = (accountId: string): string =>
  accountId.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
