// What `doctor` finds.

export interface Finding {
  readonly what: string
  /** `missing` is what some use needs and others do not. */
  readonly state: 'fine' | 'missing' | 'wrong'
  readonly text: string
  /** What to do, as a command or a sentence. */
  readonly fix?: string
}

export const fine = (what: string, text: string): Finding => ({ what, state: 'fine', text })
export const missing = (what: string, text: string, fix: string): Finding => ({ what, state: 'missing', text, fix })
export const wrong = (what: string, text: string, fix: string): Finding => ({ what, state: 'wrong', text, fix })
