// Every ceiling of the product, with its unit and its reason. Nothing else in the code says how much is too much.

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
export const httpRequestTimeoutMs = 30 * second

// IAM -------------------------------------------------------------------------------------------------------------

/** IBM Cloud IAM, "Token expiration": access tokens live one hour. */
export const accessTokenMs = hour
/** Clocks of callers and server may differ by this much when `iat` and `exp` are judged. */
export const clockSkewMs = 5 * second
/** IBM Cloud IAM, "Limits": policies per account. */
export const policiesPerAccountMax = 4020
/** The policy API allows values of 1 to 1000 characters. */
export const policyValueLengthMax = 1000
export const policyAttributesMax = 32
export const policyRolesMax = 32
/** Verified tokens are remembered so that a signature is checked once; bounded in memory. */
export const verifiedTokensMax = 10_000

// Account layer -----------------------------------------------------------------------------------------------------

/** Resource Controller API, "limit": 100 by default and at most. */
export const resourcePageDefault = 100

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
/** Open data keys that one disk process may hold; each is an open volume, and a process runs out of files before. */
export const leasesPerHolderMax = 10_000
/** Key Protect, "Wrapping keys": each string of additional authenticated data has at most 255 characters. */
export const aadStringLengthMax = 255
/** Undocumented by Key Protect; far above what any client sends. */
export const aadStringsMax = 126
/** Undocumented by Key Protect; its largest key payload is the nearest documented figure. */
export const wrapPlaintextBytesMax = 7500
export const keyPageDefault = 200
export const keyPageMax = 5000
/** A data key opens a key slot with a passphrase of 256 bits, as the VPC documentation says. */
export const dataKeyBytes = 32
/** A disk process that hears nothing for this long has lost the right to serve: the bound on revocation without contact. */
export const leaseMs = 10 * second
/** Three renewals may be lost before a lease ends. */
export const leaseRenewMs = 2.5 * second
/** A fence that is not acknowledged in this time is left to the end of the lease, and said so. */
export const fenceAckMs = 2 * second

// VPC -------------------------------------------------------------------------------------------------------------

/** VPC API, "Pagination". */
export const vpcPageDefault = 50
export const vpcPageMax = 100
/** VPC, "Quotas": volumes per account and region. */
export const volumesPerAccountMax = 300
/** VPC, "Quotas": data volumes per instance. */
export const dataVolumesPerInstanceMax = 12
export const instancesPerAccountMax = 200
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
/** Keys asked about, and registrations read, in one call to the key manager. */
export const vpcSweepPage = 200

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
/** Connections per export: multi-conn clients use 4 to 16. */
export const nbdConnectionsPerExportMax = 64
/** LUKS2 sector size: fewer calls into the cipher than 512, and what disks write at once. */
export const sectorBytes = 4096

// Volume images (LUKS2) -------------------------------------------------------------------------------------------

/** cryptsetup writes 16 KiB unless told otherwise, and no image of ours needs more than two key slots and a token. */
export const luks2HeaderBytesMax = 128 * KiB
/** Iterations over all key slots and digests of one image: cryptsetup's two seconds on a fast machine, and ours 2000. */
export const luks2PbkdfIterationsMax = 10_000_000
/** cryptsetup's own default maximum: what one key slot may claim of memory while it is opened. */
export const luks2Argon2KibMax = 1024 * KiB
/** Memory times passes over all key slots of one image: some ten seconds of work. */
export const luks2Argon2WorkKibMax = 16 * luks2Argon2KibMax
/** cryptsetup uses at most 4 threads. */
export const luks2Argon2LanesMax = 16

// Work in the background --------------------------------------------------------------------------------------------

/** Reconcilers run at least this often, whatever the events say. */
export const sweepMs = 30 * second
