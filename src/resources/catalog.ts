// The global catalog: services, their plans, and where each plan can be deployed, as a tree of entries that answers the
// catalog's lookups. Source: Global Catalog API v1. It is public: nobody has to be known.

import { Fault } from '#base/fault.ts'
import { catalogPageDefault, catalogPageMax } from '#base/limits.ts'
import { catalogServices } from './catalog-data.ts'
import type { CatalogPlan, CatalogService } from './catalog-data.ts'
import { deploymentCrn, locationsOf } from './plans.ts'

export interface Entry {
  readonly id: string
  readonly kind: 'service' | 'plan' | 'deployment'
  readonly name: string
  readonly displayName: string
  readonly description: string
  readonly catalogCrn: string
  readonly tags: readonly string[]
  readonly geoTags: readonly string[]
  readonly isFree: boolean
  readonly parentId: string | null
  readonly metadata: Readonly<Record<string, unknown>>
  readonly children: readonly Entry[]
}

export interface CatalogListing {
  readonly words: string
  readonly sort: string
  readonly isDescending: boolean
  readonly offset: number
  readonly limit: number | null
}

export interface CatalogPage {
  readonly entries: readonly Entry[]
  readonly offset: number
  readonly limit: number
  readonly totalCount: number
}

export type Catalog = ReturnType<typeof makeCatalog>

export function makeCatalog(ownRegion: string) {
  const roots = catalogServices.map((service) => serviceEntry(service, ownRegion))
  const byId = new Map(roots.flatMap(withDescendants).map((entry) => [entry.id, entry]))

  function get(id: string): Entry {
    const entry = byId.get(id) ?? roots.find((root) => root.name === id)
    if (!entry) throw new Fault('not_found', `catalog has no entry ${JSON.stringify(id.slice(0, 100))}`)
    return entry
  }

  const list = (listing: CatalogListing): CatalogPage => page(roots.filter(fits(listing.words)), listing)

  /** Of one kind, or of every kind for `*`. A kind that no entry has is no part of the catalog. */
  function children(id: string, kind: string, listing: CatalogListing): CatalogPage {
    const entry = get(id)
    if (!kinds.has(kind))
      throw new Fault('not_found', `catalog has no entries of kind ${JSON.stringify(kind.slice(0, 40))}`)
    const found = entry.children.filter((child) => kind === '*' || child.kind === kind)
    return page(found.filter(fits(listing.words)), listing)
  }

  return { get, list, children }
}

const kinds: ReadonlySet<string> = new Set([
  '*',
  'service',
  'iaas',
  'plan',
  'flavor',
  'deployment',
  'alias',
  'template',
])

const withDescendants = (entry: Entry): Entry[] => [entry, ...entry.children.flatMap(withDescendants)]

// Entries -------------------------------------------------------------------------------------------------------------

function serviceEntry(service: CatalogService, ownRegion: string): Entry {
  const { id, name, displayName, description, tags } = service
  const children = service.plans.map((plan) => planEntry(plan, service, ownRegion))
  const geoTags = Array.from(new Set(children.flatMap((plan) => plan.geoTags)))
  const isFree = service.plans.some((plan) => plan.isFree)
  const about = { id, name, displayName, description, tags, geoTags, isFree }
  return {
    ...about,
    kind: 'service',
    catalogCrn: crnOf('service', id),
    parentId: null,
    metadata: serviceMetadata,
    children,
  }
}

/** What clients look at before they provision: Terraform refuses a service that is not `rc_provisionable`. */
const serviceMetadata = {
  rc_compatible: true,
  ui: { strings: {}, urls: {}, side_by_side_index: 1 },
  pricing: { type: 'paid', origin: 'pricing_catalog' },
  service: {
    type: '',
    iam_compatible: true,
    unique_api_key: false,
    provisionable: false,
    bindable: false,
    async_provisioning_supported: false,
    async_unprovisioning_supported: false,
    rc_provisionable: true,
    rc_compatible: true,
    service_key_supported: false,
    plan_updateable: true,
    service_check_enabled: false,
    test_check_interval: 0,
    state: '',
    requires: [],
    cf_guid: {},
  },
}

function planEntry(plan: CatalogPlan, service: CatalogService, ownRegion: string): Entry {
  const { id, name, displayName, description, isFree } = plan
  const geoTags = locationsOf(plan, ownRegion)
  const about = { id, name, displayName, description, isFree, tags: service.tags, geoTags }
  const metadata = {
    rc_compatible: true,
    ui: { strings: {}, urls: {} },
    pricing: { type: isFree ? 'free' : 'paid', origin: 'pricing_catalog' },
    plan: {
      bindable: false,
      reservable: false,
      allow_internal_users: true,
      async_provisioning_supported: false,
      async_unprovisioning_supported: false,
      provision_type: '',
      service_check_enabled: false,
      test_check_interval: 0,
      single_scope_instance: '',
      cf_guid: {},
      reclamation_enabled: plan.isReclaimable,
    },
  }
  const children = geoTags.map((location) => deploymentEntry(plan, service, location))
  return { ...about, kind: 'plan', catalogCrn: crnOf('plan', id), parentId: service.id, metadata, children }
}

function deploymentEntry(plan: CatalogPlan, service: CatalogService, location: string): Entry {
  return {
    id: `${plan.id}:${location}`,
    kind: 'deployment',
    name: location,
    displayName: location,
    description: `${service.displayName}, ${plan.displayName}, ${location}`,
    catalogCrn: deploymentCrn(plan.id, location),
    tags: service.tags,
    geoTags: [location],
    isFree: plan.isFree,
    parentId: plan.id,
    metadata: {
      rc_compatible: true,
      ui: { strings: {}, urls: {} },
      pricing: { type: plan.isFree ? 'free' : 'paid', origin: 'pricing_catalog' },
      deployment: {
        location,
        location_url: '',
        original_location: '',
        target_crn: `crn:v1:bluemix:public:globalcatalog::::environment:${location}`,
        service_crn: `crn:v1:bluemix:public:${service.name}:${location}:::environment:`,
        mccp_id: '',
        broker: { name: '', guid: '' },
        supports_rc_migration: false,
        target_network: '',
      },
    },
    children: [],
  }
}

const crnOf = (kind: string, id: string): string => `crn:v1:bluemix:public:globalcatalog::::${kind}:${id}`

// Search and order ----------------------------------------------------------------------------------------------------

/** Global Catalog API, "q": words are looked for in names and descriptions, `kind:` and its like narrow. */
function fits(text: string): (entry: Entry) => boolean {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '')
  return (entry) => words.every((word) => fitsWord(entry, word))
}

function fitsWord(entry: Entry, word: string): boolean {
  const [filter, value] = word.split(':', 2)
  if (value === undefined || filter === undefined) {
    return [entry.name, entry.displayName, entry.description, entry.id].some((text) =>
      text.toLowerCase().includes(word),
    )
  }
  switch (filter) {
    case 'kind':
      return entry.kind === value
    case 'tag':
      return entry.tags.includes(value)
    case 'geo':
      return entry.geoTags.includes(value)
    case 'price':
      return (entry.isFree ? 'free' : 'paid') === value
    case 'rc':
    case 'iam':
    case 'active':
      return value === 'true'
    default:
      return false
  }
}

const sortKeys: Readonly<Record<string, (entry: Entry) => string>> = {
  name: (entry) => entry.name,
  displayname: (entry) => entry.displayName,
  kind: (entry) => entry.kind,
}

function page(entries: readonly Entry[], { sort, isDescending, offset, limit: wanted }: CatalogListing): CatalogPage {
  const key = (Object.hasOwn(sortKeys, sort) ? sortKeys[sort] : undefined) ?? ((entry: Entry) => entry.name)
  const ordered = entries.toSorted((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0))
  if (isDescending) ordered.reverse()
  const limit = Math.min(wanted ?? catalogPageDefault, catalogPageMax)
  return { entries: ordered.slice(offset, offset + limit), offset, limit, totalCount: entries.length }
}
