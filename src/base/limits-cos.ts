// Ceilings of object storage, with unit and reason: limits.ts goes on here.

const KiB = 1024
const MiB = 1024 * 1024
const minute = 60 * 1000
const hour = 3600 * 1000

/** IBM Cloud Object Storage, "Create a bucket": names have 3 to 63 characters. */
export const bucketNameLength = { min: 3, max: 63 }
/** IBM Cloud Object Storage, "About the S3 API": 100 buckets per service instance. */
export const bucketsPerInstanceMax = 100
/** Amazon S3, "Object key naming guidelines": the UTF-8 of a key. */
export const objectKeyBytesMax = 1024
/** Amazon S3, "Object metadata": names and values of user metadata together. */
export const objectMetadataBytesMax = 2 * KiB
/** Amazon S3, "Multipart upload limits": one PUT, and one part. */
export const objectPutBytesMax = 5 * KiB * MiB
/** Amazon S3, "Multipart upload limits": every part but the last. */
export const objectPartBytesMin = 5 * MiB
export const objectPartNumberMax = 10_000
/** Amazon S3, "Multipart upload limits": what parts make together. */
export const objectBytesMax = 5 * MiB * MiB
/** Amazon S3, "ListObjectsV2": keys of one page; parts and uploads likewise. */
export const objectPageMax = 1000
/** Amazon S3, "DeleteObjects". */
export const objectsPerDeletionMax = 1000
/** A list of 10,000 parts with their checksums takes half of it; Amazon S3 takes 2 MB of keys to delete. */
export const xmlBodyBytesMax = 4 * MiB
/** What is read of a file at a time, and so what one download has in memory, twice. */
export const objectReadBytes = 256 * KiB
/** A percent-encoded key of 1024 bytes; Node's own ceiling for a request's head is 16 KiB. */
export const objectPathLengthMax = 4 * KiB
/** A connection on which nothing moves. A large object may take hours as long as something does. */
export const objectIdleMs = minute
/** Signature Version 4: how far a client's clock may be from ours. */
export const signatureSkewMs = 15 * minute
/** Signature Version 4, "Query parameters": a presigned URL lives at most seven days. */
export const presignedSecondsMax = 7 * 24 * 3600
/** The line before a chunk: a size in hexadecimal and a signature; and one trailing header. */
export const chunkLineBytesMax = 512
/** Files that no row knows are looked for this often: only a crash leaves any. */
export const objectSweepMs = hour
/** Objects that one transaction removes with their instance: others wait in line behind it. */
export const objectsPerSweep = 200
/** IBM Cloud, "Limits": service credentials are rows here; an instance with more has a program that forgets them. */
export const resourceKeysPerInstanceMax = 200
