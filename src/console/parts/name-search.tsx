// The field that narrows a table to what has one name: the API compares names whole.

import { Search } from '@carbon/react'

export const NameSearch = ({
  value,
  onChange,
}: {
  readonly value: string | undefined
  readonly onChange: (name: string) => void
}) => (
  <Search
    size="md"
    labelText="Name"
    placeholder="Exact name"
    value={value ?? ''}
    onChange={(event) => onChange(event.target.value)}
  />
)
