// What other services may ask of IAM: who is this, and may they. Only `authorize` makes a Grant, and tables that change
// or reveal a tenant's rows demand one, so a forgotten check does not compile.

import type { Explanation, Fault } from '#base/fault.ts'

/** Who asks, as the token says. `accountId` is the account that the token is scoped to. */
export interface Caller {
  readonly iamId: string
  readonly accountId: string
  readonly kind: 'user' | 'serviceId' | 'profile' | 'service'
  /** For a user, the e-mail address; for people who read an answer. */
  readonly name: string
  /** The IAM id that logged in, where that may be another: who assumed the profile, or made the service's token. */
  readonly personId?: string
}

/** A service acting for an account, such as block storage of account B: `{ serviceName: 'server-protect', accountId: B }`. */
export interface ServiceSubject {
  readonly kind: 'service'
  readonly serviceName: string
  readonly accountId: string
  readonly serviceInstance?: string
  readonly region?: string
  readonly resourceType?: string
  readonly resource?: string
  readonly resourceGroupId?: string
}

export type Subject = Caller | ServiceSubject

/** What the edge knows of a request before anybody is known. */
export interface Anyone {
  readonly requestId: string
  /** Scheme, host and port under which the client reached us: the beginning of every href. */
  readonly baseUrl: string
  readonly remoteAddress: string
}

/** A request whose bearer has been authenticated. */
export interface Context extends Anyone {
  readonly caller: Caller
}

/**
 * What is asked for, by the attributes of IAM policies (iam policy API, "resource attributes"). `accountId` is the
 * account that owns the resource; its policies decide.
 */
export interface Target {
  readonly accountId: string
  readonly serviceName: string
  readonly serviceInstance?: string
  readonly region?: string
  readonly resourceType?: string
  readonly resource?: string
  readonly resourceGroupId?: string
  readonly keyRing?: string
  /** Of requests for objects only; the empty text counts. */
  readonly path?: string
  readonly prefix?: string
  readonly delimiter?: string
  /** Access management tags, `name:value`; policies on tags permit nothing on what does not tell them. */
  readonly accessTags?: readonly string[]
  /** Of requests that put something new under a key; bounds of authorizations are held against it. */
  readonly keyUse?: KeyPurpose
}

/** What is to lie under a key, as far as whoever puts it there says. */
export interface KeyPurpose {
  readonly purpose?: 'create-volume' | 'create-snapshot' | 'create-image'
  readonly profile?: string
  readonly zone?: string
}

export type BoundName = 'expires_at' | 'max_volumes' | 'max_capacity_gb' | 'profiles' | 'zones' | 'purposes'

/** A bound of an authorization that a request passes. */
export interface PassedBound {
  readonly policyId: string
  readonly bound: BoundName
  /** What the bound says; a time in milliseconds since 1970. */
  readonly limit: number | readonly string[]
  /** False where the authorization only watches: then the request is permitted, and counted. */
  readonly isEnforced: boolean
}

/** How much may lie under the keys that an authorization covers. */
export interface Amounts {
  readonly policyId: string
  readonly isEnforced: boolean
  /** Null where it does not say. */
  readonly volumesMax: number | null
  readonly capacityGbMax: number | null
  covers(key: Target): boolean
}

/** A policy that permits as long as there is room: whoever registers counts, in the transaction of the registration. */
export interface Allowance {
  readonly policyId: string
  /** What of its bounds is passed already, and only watched. */
  readonly noted: PassedBound | null
  /** Room is needed in each of them. */
  readonly amounts: readonly Amounts[]
}

declare const granted: unique symbol

/** Leave to do one action on one target, for the length of one request. Made by IAM alone. */
export interface Grant<Action extends string = string> {
  readonly action: Action
  readonly subject: Subject
  readonly target: Target
  /** The policy that permits it. */
  readonly policyId: string
  /** Where the leave ends with an amount: one of these has to have room. Never empty. */
  readonly allowances?: readonly Allowance[]
  readonly [granted]: true
}

export type Decision =
  | {
      readonly permitted: true
      readonly policyId: string
      readonly allowances?: readonly Allowance[]
      /** A bound that is passed, and only watched. */
      readonly noted?: PassedBound
    }
  | {
      readonly permitted: false
      /** Where nothing but a bound stands in the way. */
      readonly passed?: PassedBound
    }

export interface IamPort {
  /**
   * Throws Fault 'unauthenticated' for a token that is malformed, expired, not ours, or whose bearer is disabled or gone,
   * and 'forbidden' where the account allows no requests from that address; none is given for calls from within.
   */
  authenticate(token: string, remoteAddress?: string): Promise<Caller>
  /** Throws Fault 'forbidden' with the explanation of what is missing in whose account. */
  authorize<Action extends string>(subject: Subject, action: Action, target: Target): Promise<Grant<Action>>
  /** The same decision without a throw, for listings that leave out what the caller may not see. */
  decide(subject: Subject, action: string, target: Target): Promise<Decision>
  /** What would have to be added, and where, for the request to be permitted. */
  explain(subject: Subject, action: string, target: Target): Explanation
  /** Whether the account exists. */
  hasAccount(accountId: string): Promise<boolean>
  /** Whether the operator has disabled it: what runs for it is to stop, by whatever leave it began. */
  isDisabled(accountId: string): Promise<boolean>
}

/** Part of a collection: the resources that are among those named, or all of them where none is named. */
export interface ScopePart {
  readonly policyId: string
  readonly resources?: readonly string[]
  readonly resourceGroupIds?: readonly string[]
}

/**
 * What somebody may do something to in a collection: everything; these parts and nothing else (an empty list is nothing);
 * or what only each resource can be asked about.
 */
export type Scope<Action extends string = string> =
  | { readonly of: 'whole'; readonly grant: Grant<Action> }
  | { readonly of: 'parts'; readonly parts: readonly ScopePart[] }
  | { readonly of: 'each' }

/** For listings, so that a page costs its own rows and not the account's. */
export interface ListingPort {
  /**
   * `collection` names neither resource nor resource group. Throws Fault 'forbidden' where no policy permits any of it; with
   * one that does, a collection may turn out to be empty.
   */
  scope<Action extends string>(subject: Subject, action: Action, collection: Target): Promise<Scope<Action>>
  /** As authorize() of each, at one moment, with null for no. All of them are of one collection. */
  grants<Action extends string>(
    subject: Subject,
    action: Action,
    targets: readonly Target[],
  ): Promise<readonly (Grant<Action> | null)[]>
}

/** What stands behind a service credential: a service id with an API key, and perhaps a policy. */
export interface ServiceCredential {
  readonly iamId: string
  readonly serviceIdCrn: string
  readonly apiKeyId: string
  readonly apiKeyName: string
  /** In plain text, this once. */
  readonly apiKey: string
  readonly policyId: string | null
}

/** For the account layer and for services that know a caller by a credential of their own. */
export interface CredentialsPort {
  /** As `authenticate`, for a service id that has shown who it is in another way. Null for one that may act no longer. */
  callerOf(iamId: string, remoteAddress: string): Promise<Caller | null>
  /** With the rights of the caller, who gives no more than they hold. All of it or nothing, but for a crash. */
  create(
    context: Context,
    wanted: {
      readonly name: string
      readonly description: string
      readonly target: Target
      /** The role on the target; null for none. */
      readonly roleCrn: string | null
    },
  ): Promise<ServiceCredential>
  /** May be repeated. */
  remove(context: Context, credential: Pick<ServiceCredential, 'iamId' | 'policyId'>): Promise<void>
  /** Whether the caller may be shown the credential's secrets: whoever has them acts as its service id. */
  mayHold(caller: Caller, iamId: string): Promise<boolean>
}

/** An authorization as those may know it whom it concerns. */
export interface Authorization {
  readonly policyId: string
  /** The account that has made it. */
  readonly accountId: string
  readonly createdAt: number
  /** When it ends by itself; null where it does not. */
  readonly endsAt: number | null
}

/** Requests that passed a bound: how many, and the last of them. */
export interface PassedTally {
  readonly count: number
  readonly lastAt: number
  readonly lastBound: BoundName
  readonly lastAction: string
  readonly lastAccountId: string
  readonly lastService: string
  /** The id of the key. */
  readonly lastResource: string
}

export interface BoundedAuthorization {
  readonly policyId: string
  /** The service and the account that it is for; null where it is for any service of the account. */
  readonly serviceName: string | null
  readonly subjectAccountId: string
  /** As they were sent. */
  readonly bounds: Readonly<Record<string, unknown>>
  readonly isEnforced: boolean
  readonly hasEnded: boolean
  /** Refused, and only counted. */
  readonly refused: PassedTally | null
  readonly watched: PassedTally | null
  covers(key: Target): boolean
}

/** For who makes authorizations visible, and foresees their end. */
export interface AuthorizationsPort {
  /** The active authorization of that id, of whatever account, or null. */
  find(policyId: string): Promise<Authorization | null>
  /** Those that end by themselves in the time given, its end included. */
  ending(after: number, until: number): Promise<readonly { readonly policyId: string; readonly endsAt: number }[]>
  /** Whoever counted says what came of it: the fault to throw, or null where the bound is only watched. Both are noted. */
  passBound(grant: Grant, passed: PassedBound, used: number | null): Fault | null
  /** The bounds of one, as they were set, and what has passed them; null where it has none. */
  bounds(policyId: string): Promise<BoundedAuthorization | null>
  /** Those of an account that have bounds, in pages ordered by id. */
  bounded(accountId: string, after: string, limit: number): Promise<readonly BoundedAuthorization[]>
  /** `decide` as it would be without that policy and those derived from it. Nothing is recorded. */
  decideWithout(subject: Subject, action: string, target: Target, policyId: string): Promise<Decision>
}

/** Who runs the server: nobody of any account, and known by a credential of its own. */
export interface OperatorPort {
  /** Throws Fault 'unauthenticated' for any token but the operator's, 'over_limit' for who guesses. */
  authenticateOperator(token: string, remoteAddress: string): Promise<void>
}

/** For `iam/` only: the tidy test refuses a call anywhere else. */
export function makeGrant<Action extends string>(
  action: Action,
  subject: Subject,
  target: Target,
  policyId: string,
  allowances?: readonly Allowance[],
): Grant<Action> {
  // The brand exists only in the type system; this is the one place that may claim it.
  return { action, subject, target, policyId, ...(allowances && { allowances }) } as Grant<Action>
}
