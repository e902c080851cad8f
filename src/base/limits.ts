// Every ceiling of the product, with its unit and its reason. Nothing else in the code says how much is too much, but the
// files named like this one beside it.

const KiB = 1024
const MiB = 1024 * KiB
const second = 1000
const minute = 60 * second
const hour = 60 * minute

// HTTP ------------------------------------------------------------------------------------------------------------

/** Bodies of these APIs are small; the largest documented field is a 7,500-byte standard key. */
export const httpBodyBytesMax = 256 * KiB
/** Deepest nesting that a documented body has is 8; more only costs stack. */
export const jsonDepthMax = 32
/** A percent-encoded CRN is the longest path parameter of these APIs. */
export const httpPathParameterLengthMax = 1200
/** A client that is slower than this is not one of these APIs'; the line and headers are a small part of it. */
export const httpRequestTimeoutMs = 30 * second

/** Node holds these times only as often as it looks. */
export const httpHeadersTimeoutMs = 15 * second
export const httpTimeoutCheckMs = 5 * second

// IAM -------------------------------------------------------------------------------------------------------------

/** IBM Cloud IAM, "Token expiration": access tokens live one hour. */
export const accessTokenMs = hour
/** Clocks of callers and server may differ by this much when `iat` and `exp` are judged. */
export const clockSkewMs = 5 * second
/** IBM Cloud IAM, "Account settings": an account may have shorter ones, down to 15 minutes. */
export const accessTokenMsMin = 15 * minute
/** What IBM Cloud gives to a service that speaks for one of its resources. */
export const resourceTokenMs = 30 * minute
/** IBM Cloud IAM, "Token expiration": refresh tokens live 72 hours, and per account down to 15 minutes. */
export const refreshTokenMs = 72 * hour
export const refreshTokenMsMin = 15 * minute
/** IBM Cloud IAM token API, "delegated_refresh_token_expiry": six days, which is also the most here. */
export const delegatedRefreshTokenMs = 144 * hour
/** Each is a row; the one that ends first makes room. Far more sessions than one key has at a time. */
export const refreshTokensPerApiKeyMax = 100
/** Clients that one delegated refresh token may be meant for; undocumented, services name one or two. */
export const receiverClientsMax = 16
/** What signs tokens is replaced this often. IBM Cloud publishes no figure; a month bounds what a stolen key is worth. */
export const signingKeyRotationMs = 30 * 24 * hour
/** A new key is public this long before it signs, so that whoever keeps the list of keys has seen it. */
export const signingKeyLeadMs = 10 * minute
/** Other replicas make keys too: what is known of them is read again after this. */
export const signingKeysReadMs = 30 * second
/** Unknown key ids make nobody read the table more often than this. */
export const signingKeysReadAgainMs = second
/** Logins that fail, per source address and minute: people mistype, scripts that guess do not stop at fifty. */
export const loginFailuresPerSourceMax = 50
/** The same for keys that begin alike: a client that repeats a key that has gone. */
export const loginFailuresPerKeyMax = 10
/** The time in which failures count together. */
export const loginFailureWindowMs = minute
/** Sources and keys that are remembered for that; bounded in memory, the longest unused are forgotten. */
export const loginFailuresRemembered = 10_000
/** IBM Cloud IAM, "Limits": API keys per identity. */
export const apiKeysPerIdentityMax = 20
/** IBM Cloud IAM identity API, "Create an API key": a key that the caller brings along has at least 32 characters. */
export const apiKeyLengthMin = 32
/** Undocumented; it only has to be hashed. */
export const apiKeyLengthMax = 1000
/** IBM Cloud IAM, "Limits": service ids per account. */
export const serviceIdsPerAccountMax = 2000
/** IBM Cloud IAM, "Limits": trusted profiles per account. */
export const profilesPerAccountMax = 2000
/** Undocumented: rules and links of one profile, each. */
export const profilePartsMax = 100
/** Undocumented: whom one profile lets in; the list is one answer. */
export const profileIdentitiesMax = 200
/** Users of one account are made one by one; undocumented. */
export const usersPerAccountMax = 7500
/** IBM Cloud IAM identity API, "pagesize": 20 by default, 100 at most. */
export const identityPageDefault = 20
export const identityPageMax = 100
/** Lines of an identity's history that one answer shows, and that are kept: the newest. */
export const historyLinesMax = 50
/** Undocumented: names and descriptions of identities. */
export const identityNameLengthMax = 255
export const identityDescriptionLengthMax = 1000
/** Addresses, ranges and networks that an account may allow; undocumented, and a check per request. */
export const allowedAddressesMax = 200
/** IBM Cloud IAM, "Limits": policies per account. */
export const policiesPerAccountMax = 4020
/** The policy API allows values of 1 to 1000 characters. */
export const policyValueLengthMax = 1000
export const policyAttributesMax = 32
export const policyRolesMax = 32
/** IBM Cloud IAM, "IAM condition properties": values of one AnyOf operator, and conditions of one rule. */
export const policyValuesMax = 10
export const policyRuleConditionsMax = 10
/** Bounds of authorizations: more than any installation has of it is no bound. */
export const boundedVolumesMax = 1_000_000
export const boundedCapacityGbMax = 1_000_000_000
/** There are five profiles and three zones. */
export const boundValuesMax = 16
/** Uses of keys in quarantine are written this long after the first of them. */
export const quarantineUsesMs = 1 * second
/** Longest quarantine that an account may ask for before a deletion, hours: thirty days, as long as a deletion can be undone. */
export const quarantineHoursMax = 720
/** Ends of authorizations that one transaction writes down. */
export const endedPoliciesPerSweep = 100
/** Nobody means a later end than this; what never ends has none. */
export const boundAheadMsMax = 100 * 366 * 24 * hour
/** IBM Cloud IAM, "Limits": policies per subject within an account. */
export const policiesPerSubjectMax = 1000
/** How long a deleted policy stays readable and can be made active again; undocumented by IBM Cloud. */
export const deletedPolicyMs = 30 * 24 * hour
/** IBM Cloud IAM, "Limits": custom roles and access groups per account. */
export const customRolesPerAccountMax = 40
export const accessGroupsPerAccountMax = 500
/** Undocumented: no service here has more actions. */
export const customRoleActionsMax = 500
/** Access groups API, "limit": 100 at most. Its default is undocumented. */
export const accessGroupPageDefault = 50
export const accessGroupPageMax = 100
/** Access groups API, "Add members": 50 members or groups in one request. */
export const accessGroupMembersPerRequestMax = 50
/** IBM Cloud IAM, "Limits": identities in one access group. */
export const accessGroupMembersMax = 2500
/** Undocumented: accounts that one account lets in. */
export const externalAccountsMax = 100
/** What decisions leave behind (last permits, observed strangers) is written this long after the first of them. */
export const decisionRecordsMs = 5 * second
/** That many different ones are written at once, whatever the time; bounded in memory. */
export const decisionRecordsMax = 1000
/** Policies that are looked through for the one that came nearest, when somebody is refused. */
export const nearestPoliciesMax = 200
/** Attributes that an explanation says did not match. */
export const explainedDifferencesMax = 4
/** A response header holds the short form of an explanation; proxies limit all headers together to 8 KiB and less. */
export const explanationHeaderLengthMax = 1024
/** A setting for tests of users: how long policies may take to count. */
export const policyPropagationSecondsMax = 300
/** Verified tokens are remembered so that a signature is checked once; bounded in memory. */
export const verifiedTokensMax = 10_000

// Account layer -----------------------------------------------------------------------------------------------------

/** Resource Controller API, "limit": 100 by default and at most. */
export const resourcePageDefault = 100
/** Resource Controller API, "name": 180 characters or less. */
export const resourceNameLengthMax = 180
/** IBM Cloud, "Using resource reclamations": seven days, after which a deleted instance cannot be restored. */
export const reclamationMs = 7 * 24 * hour
/** Global Tagging API, "Attach tags": user and service tags of one resource, access tags of one account. */
export const tagsPerResourceMax = 1000
export const accessTagsPerAccountMax = 250
/** IBM Cloud, "Working with tags": 128 characters. */
export const tagNameLengthMax = 128
/** Global Tagging API: names and resources of one request. */
export const tagNamesPerRequestMax = 100
export const taggedResourcesPerRequestMax = 100
/** Global Tagging API, "List all tags". */
export const tagPageDefault = 100
export const tagPageMax = 1000
/** Global Search API, "limit": 10 hits unless more are asked for. */
export const searchPageDefault = 10
export const searchPageMax = 1000
/** No documented client sends a longer one, and each of its words is looked for in every resource. */
export const searchQueryLengthMax = 4096
/** Parentheses within parentheses of one query: more only costs stack. */
export const searchQueryDepthMax = 32
/** Global Catalog API: entries of one page. */
export const catalogPageDefault = 50
export const catalogPageMax = 200

// KMS -------------------------------------------------------------------------------------------------------------

/** Key Protect, "Create root keys": names have 2 to 90 characters. */
export const keyNameLength = { min: 2, max: 90 }
export const keyDescriptionLength = { min: 2, max: 240 }
export const keyTagsMax = 30
export const keyTagLengthMax = 30
/** Key Protect, "Creating root keys": generated keys have 256 bits. */
export const generatedKeyBytes = 32
/** Key Protect, "Importing root keys": the lengths of AES keys. */
export const rootKeyBytes: readonly number[] = [16, 24, 32]
/** Key Protect, "Importing standard keys". */
export const standardKeyBytesMax = 7500
/** Rows that the expiry sweep changes in one transaction: others wait in line behind it. */
export const expiredKeysPerSweep = 100
/** Keys that one transaction of a sweep rotates, purges or speaks of: others wait in line behind it. */
export const keysPerSweep = 50
/** Key Protect, "Creating key aliases": for a key, and for all keys of an instance. */
export const aliasesPerKeyMax = 5
export const aliasesPerInstanceMax = 1000
export const aliasLength = { min: 2, max: 90 }
/** Key Protect, "Grouping keys together using key rings": beside the default one. */
export const keyRingsMax = 50
export const keyRingIdLength = { min: 2, max: 100 }
/** Key Protect API, "List keys": how many keys one search looks through. */
export const keySearchSpaceMax = 5000
/** Key Protect API, "filter": terms that one property may have. */
export const keyFilterTermsMax = 3
/** Key Protect, "Creating import tokens": how often a token is handed out. */
export const importRetrievalsMax = 500
/** RSA modulus of import tokens, in bits: wraps 32 bytes with OAEP, and stays as strong as what it carries for years. */
export const importKeyBits = 4096
/** Key pairs that may be in the making or waited for: each keeps a thread busy for about a second. */
export const importKeyPairsMax = 8
/** Random bytes that show that a secure import was made for this token. */
export const importNonceBytes = 16
/** Undocumented by Key Protect; one address range per line of a firewall table, and the list is read with each request. */
export const allowedIpRangesMax = 1000
/** Free texts of services on their registrations; undocumented, and repeated in every list. */
export const registrationDescriptionLengthMax = 500
export const registrationMetadataLengthMax = 4000
/** Resources that a notice to a service remembers by name; beyond it only their number. */
export const noticeResourcesMax = 100
/** Data keys re-wrapped in one transaction: a commit costs what a hundred do, and some 10 ms hold nobody up. */
export const rewrapBatchMax = 100
/** Open data keys that one disk process may hold; each is an open volume, and a process runs out of files before. */
export const leasesPerHolderMax = 10_000
/** Key Protect, "Wrapping keys": each string of additional authenticated data has at most 255 characters. */
export const aadStringLengthMax = 255
/** Undocumented by Key Protect; far above what any client sends. */
export const aadStringsMax = 126
/** Undocumented by Key Protect; its largest key payload is the nearest documented figure. */
export const wrapPlaintextBytesMax = 7500
export const keyPageDefault = 200
/** What every database can skip; nobody has so many keys. */
export const pageOffsetMax = 2 ** 31 - 1
export const keyPageMax = 5000
/** A data key opens a key slot with a passphrase of 256 bits, as the VPC documentation says. */
export const dataKeyBytes = 32
/** A disk process that hears nothing for this long has lost the right to serve: the bound on revocation without contact. */
export const leaseMs = 10 * second
/** Three renewals may be lost before a lease ends. */
export const leaseRenewMs = 2.5 * second
/** A fence that is not acknowledged in this time is left to the end of the lease, and said so. */
export const fenceAckMs = 2 * second

/** A disk process that has not acknowledged a fence by then is killed; before `fenceAckMs`, so that the end is known. */
export const fenceKillMs = 1.5 * second
/** While the volumes of a consistency group are held, their clients wait: far less than any of them waits for a disk. */
export const momentHeldMsMax = 2 * second
/** Until all of them are ready to be held: each opens its volume and brings what is dirty to the disk. */
export const momentReadyMsMax = 30 * second
/** Formatting an image takes a tenth of a second, removing one of terabytes a few seconds. */
export const diskCallMsMax = 10 * second

// VPC -------------------------------------------------------------------------------------------------------------

/** VPC API, "Pagination". */
export const vpcPageDefault = 50
export const vpcPageMax = 100
/** Rows that a listing looks at in one go where policies have patterns: a few milliseconds of one request. */
export const vpcScanPage = 500
/** Resources and groups that one statement may name; SQLite's own bound on values is 32,766. */
export const vpcScopePartsMax = 10_000
/** What an operator can set a quota of VPC's to: lists are measured with a hundred thousand. */
export const quotaMax = 1_000_000
/** VPC, "Quotas": volumes per account and region. */
export const volumesPerAccountMax = 300
/** VPC, "Quotas": data volumes per instance. */
export const dataVolumesPerInstanceMax = 12
/** VPC, "Quotas": snapshots per volume of the first and of the second storage generation. */
export const snapshotsPerVolumeMax = { 1: 750, 2: 512 } as const
/** VPC, "Snapshots": the largest volume of the first generation that one is taken of. */
export const snapshotSourceGbMax = 10_000
/** VPC, "Quotas": custom images per account and region. */
export const imagesPerAccountMax = 100
/** VPC docs, "Custom image requirements": gigabytes of the disk in an image; less is rounded up. */
export const imageGb = { min: 10, max: 250 } as const
/** A raw file has as many bytes as the largest disk; no other form is longer. */
export const imageFileBytesMax = 251 * 2 ** 30
/** VPC, "Quotas": export jobs of an image, those of them that have not ended, and those of an account and region. */
export const imageExportsMax = { ofImage: 10, activeOfImage: 5, activeOfAccount: 20 } as const
/** VPC, "Quotas": snapshots of a consistency group, one for each volume of its instance. */
export const snapshotsPerGroupMax = dataVolumesPerInstanceMax + 1
/** More than any disk does. */
export const reencryptionMibPerSecondMax = 100_000
/** Snapshots and restored volumes that are copied at a time: each keeps a disk and a core busy. */
export const vpcCopiesMax = 4
export const instancesPerAccountMax = 200
/** VPC, "Quotas": SSH keys per region, subnets per VPC, the others likewise. */
export const sshKeysPerAccountMax = 200
export const vpcsPerAccountMax = 10
export const subnetsPerVpcMax = 100
export const addressPrefixesPerVpcMax = 50
export const securityGroupsPerVpcMax = 100
export const rulesPerSecurityGroupMax = 250
/** VPC, "Quotas": network interfaces per instance, whatever its profile. */
export const networkInterfacesPerInstanceMax = 15
/** VPC API, "InstancePrototype": user data have at most 64 KiB; they are checked and not kept. */
export const userDataLengthMax = 64 * KiB
export const userTagLengthMax = 128
export const userTagsMax = 1000
/** How long a connection secret admits a client; a connected client stays. */
export const connectionSecretMs = 24 * hour

/** A request for a volume that has not got its key in this time has lost its process: twice what HTTP allows it. */
export const volumeRequestMsMax = 2 * httpRequestTimeoutMs
/** A volume that could not be formatted in this time has failed; Terraform waits no longer for a volume. */
export const volumePendingMsMax = 10 * minute
/** Volumes and exports that one pass works on at a time: disk processes format in parallel, memory is bounded. */
export const vpcWorkParallelMax = 8
/** Between two batches of volumes whose data keys are re-wrapped: requests go between, and a rotation takes no whole core. */
export const rewrapPauseMs = 20
/** Keys asked about, and registrations read, in one call to the key manager. */
export const vpcSweepPage = 200
/** Volumes that take a new standing of their key in one transaction: others wait for it some ten milliseconds. */
export const followedAtOnceMax = 50

// NBD and disks ---------------------------------------------------------------------------------------------------

/** NBD protocol, "Block size constraints": what a portable client may send unasked. */
export const nbdRequestBytesMax = 32 * MiB
/** NBD protocol, "Values": strings have at most 4096 bytes. */
export const nbdStringBytesMax = 4096
/** Options before transmission; an honest client sends fewer than ten. */
export const nbdOptionsMax = 64
/** NBD option payloads are names and a few lists; more is an attack on memory. */
export const nbdOptionBytesMax = 64 * KiB
/** A client that does not finish its handshake is let go. */
export const nbdHandshakeMs = 10 * second
/** Requests that one connection may have in memory; the socket is not read past it. */
export const nbdInFlightBytesMax = 64 * MiB
/**
 * Requests of all connections that the event loop of one disk process serves: eight of the longest, and some ten
 * milliseconds of what a core encrypts. A connection that finds no room goes on in small pieces of its own.
 */
export const diskRequestBytesMax = 256 * MiB
/** Buffers that volumes keep for their next requests, in one process; what is not kept is made anew. */
export const diskSpareBytesMax = 64 * MiB
/** A connection always has room for this much of a request, whatever the others do. */
export const nbdPieceBytes = 64 * KiB
/** A thread that serves a connection works on this much of a request at a time; longer ones come and go in pieces. */
export const lanePieceBytes = 4 * MiB
/** Connections of one process: with what each has for itself and what is read ahead for it, some 256 MiB. */
export const nbdConnectionsMax = 1024
/** A client that we wait for in the middle of a request must take or send `nbdStallBytesMin` in this time, or is cut. */
export const nbdStallMs = 30 * second
/** Two KiB per second: no line that carries block storage is slower. */
export const nbdStallBytesMin = 64 * KiB
/** Connections per export: multi-conn clients use 4 to 16. Fewer when a process comes near `nbdConnectionsMax`. */
export const nbdConnectionsPerExportMax = 64
/**
 * Threads that serve connections, some 25 MiB each: so many for each core, over all disk processes, and not more in one of
 * them. More would wait for cores, not for clients; further connections share their process's event loop.
 */
export const laneThreadsPerCore = 6
export const laneThreadsMax = 16
/** Pages of tags, of 4 KiB, that one open volume keeps in memory: those of 2 GiB of it. More than claims on its bytes. */
export const tagPagesMax = 2048
/** Of written sectors of volumes with tags that are not on the disk yet, over all volumes of a process; see BatchMemory. */
export const tagBatchBytesMax = 256 * MiB
/** What a batch takes of it at a time. */
export const tagBatchPieceBytes = MiB
/** LUKS2 sector size: fewer calls into the cipher than 512, and what disks write at once. */
export const sectorBytes = 4096

// Master key, backup ------------------------------------------------------------------------------------------------

/** RFC 9106, section 4, between its two recommended choices: three quarters of a second on one core, at each start. */
export const argon2idCosts = { memoryKib: 256 * KiB, passes: 3, lanes: 4 }
/** What a record from elsewhere may claim: RFC 9106's larger choice, and a few seconds. */
export const argon2idCostsMax = { memoryKib: 2 * KiB * KiB, passes: 16, lanes: 16 }
/** Shorter ones are guessed, whatever a guess costs; NIST SP 800-63B-4 asks for 15 characters of a secret that is alone. */
export const passphraseBytesMin = 15
/** A transaction of this many records takes a few milliseconds, or with a slow token some hundred. */
export const resealedPerTransaction = 100
/** A request that sealed something before the master key turned has written it by then, or was ended. */
export const requestSettledMs = 2 * httpRequestTimeoutMs
/** How often a serving process looks whether a rotation was asked for. */
export const rotationLookMs = 2 * second
/** Plaintext of one chunk of a backup, as age has it: a flipped byte is noticed before more than this is written. */
export const backupChunkBytes = 64 * KiB
/** The clear beginning of a backup: an id, a time and a master key record. */
export const backupHeadBytesMax = 64 * KiB

/** A year at once: far more than any documented wait, and dates stay what calendars can show. */
export const clockAdvanceSecondsMax = 366 * 24 * 3600

// Work in the background --------------------------------------------------------------------------------------------

/** Reconcilers run at least this often, whatever the events say. */
export const sweepMs = 30 * second
