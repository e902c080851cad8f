// Access settings, from inside to the wire and back.

import type { Static } from 'typebox'
import { reply } from '#base/contract.ts'
import type { Reply } from '#base/contract.ts'
import type { IdentityTypes, Interaction, StoredSettings } from './access-settings.ts'
import type { accessSettingsPatch, accessSettingsReply } from './contract-access.ts'

type View = Static<typeof accessSettingsReply>

export function settingsWithEtag({ identityTypes, revision }: StoredSettings): Reply<View> {
  const { user, service_id, service } = identityTypes
  const identity_types = { user: shown(user), service_id: shown(service_id), service: shown(service) }
  return reply({ external_account_identity_interaction: { identity_types } }, { etag: revision })
}

const shown = ({ state, external_allowed_accounts }: Interaction) => ({
  state,
  external_allowed_accounts: [...external_allowed_accounts],
})

export const identityTypesOf = (body: Static<typeof accessSettingsPatch>): Partial<IdentityTypes> =>
  body.external_account_identity_interaction?.identity_types ?? {}
