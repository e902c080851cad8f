// Ceilings of what a volume image may claim of whoever opens it, which may be an image from elsewhere.

const KiB = 1024

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
/** The same over all key slots of an encrypted image file, where it takes no thread that serves: qemu-img's two seconds are eight million. */
export const luks1PbkdfIterationsMax = 40_000_000
/** cryptsetup's own maximum. */
export const passphraseBytesMax = 512
