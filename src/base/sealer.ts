// What a service may ask of the master key without knowing it: bytes sealed for a purpose open only for that purpose.
// The implementation is crypto/sealed-record.ts; compose hands it out.

export interface Sealer {
  /** The purpose is bound as associated data: it names the table and the row, such as `iam.signing-key/<kid>`. */
  seal(purpose: string, plaintext: Uint8Array): Uint8Array
  /** Throws a `Fault` ('unprocessable') that says nothing about why, when the bytes do not open. The caller wipes the result. */
  open(purpose: string, sealed: Uint8Array): Uint8Array
}
