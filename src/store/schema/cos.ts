export interface CosTables {
  cos_bucket: {
    /** Unique everywhere, as the documentation has it. */
    name: string
    account_id: string
    /** The service instance, by the resource controller's GUID. */
    instance_id: string
    /** LocationConstraint, such as `us-south-standard`. */
    location: string
    created_at: number
    created_by: string
  }
  cos_object: {
    bucket: string
    /** Listed in the order of its UTF-8 bytes. */
    key: string
    /** Another one with each write: what readers compare to know that it is still what they have seen. */
    id: string
    size_bytes: number
    /** Without quotes: an MD5, or that of the parts' MD5s and their number. */
    etag: string
    /** JSON: cos/object.ts, `ObjectFacts`. */
    facts: string
    modified_at: number
  }
  /** The files that an object consists of, one after the other. Copies share files. */
  cos_segment: {
    object_id: string
    ordinal: number
    /** `<data>/objects/<first two digits>/<file_id>`. */
    file_id: string
    size_bytes: number
  }
  cos_upload: {
    id: string
    bucket: string
    key: string
    /** As for the object that it becomes. */
    facts: string
    created_at: number
    created_by: string
  }
  cos_part: {
    upload_id: string
    number: number
    file_id: string
    size_bytes: number
    etag: string
    /** `algorithm:base64`, or null where the client gave none. */
    checksum: string | null
    modified_at: number
  }
  cos_hmac_key: {
    access_key_id: string
    account_id: string
    instance_id: string
    /** Whose requests those are that it signs. */
    iam_id: string
    /** docs/formats.md, "Sealed record". */
    sealed_secret: Uint8Array
    created_at: number
  }
}
