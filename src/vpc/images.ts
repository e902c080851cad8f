// The stock images and operating systems, as static public records: clients and configurations name one, and that name is
// kept with the instance. There is no image file behind them here. A boot volume that is made for one is blank, and says
// neither `source_image` nor `operating_system`: whoever runs the machine installs it. Source: VPC API, "Images".

import type { Static } from 'typebox'
import { parseCrn } from '#base/crn.ts'
import { Fault } from '#base/fault.ts'
import type { Anyone } from '#iam/port.ts'
import { idOf } from './identity.ts'
import type { imageQuery } from './machine-schemas.ts'
import { pageLinks, pageOf } from './page.ts'
import type { Page, PageRequest } from './page.ts'

interface OperatingSystem {
  readonly name: string
  readonly display_name: string
  readonly family: string
  readonly vendor: string
  readonly version: string
}

const operatingSystems: readonly OperatingSystem[] = [
  ['ubuntu-24-04-amd64', 'Ubuntu Linux', 'Canonical', '24.04 LTS Noble Numbat Minimal Install'],
  ['ubuntu-22-04-amd64', 'Ubuntu Linux', 'Canonical', '22.04 LTS Jammy Jellyfish Minimal Install'],
  ['debian-12-amd64', 'Debian GNU/Linux', 'Debian', '12.x Bookworm/Stable - Minimal Install'],
  ['red-9-amd64', 'Red Hat Enterprise Linux', 'Red Hat', '9.x - Minimal Install'],
].map(([name = '', family = '', vendor = '', version = '']) => ({
  name,
  display_name: `${family} ${version} (amd64)`,
  family,
  vendor,
  version,
}))

interface StockImage {
  readonly id: string
  readonly name: string
  readonly createdAt: number
  readonly operatingSystem: OperatingSystem
}

const publishedAt = Date.UTC(2026, 0, 1)

/** Ids are made up and stay: configurations that hold one go on. */
const stockImages: readonly StockImage[] = (
  [
    ['ibm-ubuntu-24-04-6-minimal-amd64-1', 0],
    ['ibm-ubuntu-22-04-5-minimal-amd64-1', 1],
    ['ibm-debian-12-11-minimal-amd64-1', 2],
    ['ibm-redhat-9-6-minimal-amd64-1', 3],
  ] as const
).flatMap(([name, i]) => {
  const operatingSystem = operatingSystems[i]
  const id = `r006-00000000-0000-4000-8000-${String(i + 1).padStart(12, '0')}`
  return operatingSystem ? [{ id, name, createdAt: publishedAt, operatingSystem }] : []
})

/** The image that a body points at; 400 for any other. */
export function stockImageOf(identity: Parameters<typeof idOf>[0]): string {
  const id = idOf(identity, 'image')
  if (findImage(id)) return id
  throw new Fault('invalid', `image with id ${JSON.stringify(id.slice(0, 64))} is not found`, {
    reason: 'validation_invalid_ref',
    target: { type: 'field', name: 'image' },
  })
}

const findImage = (id: string): StockImage | undefined => stockImages.find((image) => image.id === id)

/** The stock image of the CRN, or null for any other. */
export const imageIdOfCrn = (crn: string): string | null =>
  stockImages.find(({ id }) => parseCrn(crn)?.resource === id)?.id ?? null

const imageCrn = (id: string, region: string): string =>
  `crn:v1:bluemix:public:is:${region}:a/${'0'.repeat(32)}::image:${id}`

export function imageReference(base: string, region: string, id: string) {
  const image = findImage(id)
  return (
    image && {
      crn: imageCrn(id, region),
      href: `${base}/v1/images/${id}`,
      id,
      name: image.name,
      resource_type: 'image' as const,
    }
  )
}

const systemView = (base: string, system: OperatingSystem) => ({
  ...system,
  allow_user_image_creation: false,
  architecture: 'amd64',
  dedicated_host_only: false,
  href: `${base}/v1/operating_systems/${system.name}`,
  user_data_format: 'cloud_init' as const,
})

const imageView = (base: string, region: string, image: StockImage) => ({
  catalog_offering: { managed: false },
  created_at: new Date(image.createdAt).toISOString(),
  crn: imageCrn(image.id, region),
  encryption: 'none' as const,
  file: {},
  href: `${base}/v1/images/${image.id}`,
  id: image.id,
  minimum_provisioned_size: 100,
  name: image.name,
  operating_system: systemView(base, image.operatingSystem),
  resource_group: { href: `${base}/v2/resource_groups/${'0'.repeat(32)}`, id: '0'.repeat(32), name: 'Default' },
  resource_type: 'image' as const,
  status: 'available' as const,
  status_reasons: [],
  user_data_format: 'cloud_init' as const,
  visibility: 'public' as const,
})

export function listImages(region: string, context: Anyone, query: Static<typeof imageQuery>) {
  const matching = stockImages.filter(
    ({ name }) =>
      (query.name === undefined || query.name === name) &&
      (query.visibility === undefined || query.visibility === 'public') &&
      (query.status === undefined || query.status.split(',').includes('available')),
  )
  const page = pageOf(matching, query)
  const { version: _version, generation: _generation, ...filters } = query
  return {
    ...pageLinks(page, `${context.baseUrl}/v1/images`, filters),
    images: page.items.map((image) => imageView(context.baseUrl, region, image)),
  }
}

export function getImage(region: string, context: Anyone, id: string) {
  const image = findImage(id)
  if (image) return imageView(context.baseUrl, region, image)
  throw new Fault('not_found', `image with id ${JSON.stringify(id.slice(0, 64))} is not found`)
}

export function listOperatingSystems(context: Anyone, query: PageRequest) {
  const page: Page<OperatingSystem & { id: string }> = pageOf(
    operatingSystems.map((system) => ({ ...system, id: system.name, createdAt: publishedAt })),
    query,
  )
  return {
    ...pageLinks(page, `${context.baseUrl}/v1/operating_systems`, {}),
    operating_systems: page.items.flatMap(({ id }) => viewOfSystem(context.baseUrl, id)),
  }
}

const viewOfSystem = (base: string, name: string) =>
  operatingSystems.filter((system) => system.name === name).map((system) => systemView(base, system))

export function getOperatingSystem(context: Anyone, name: string) {
  const [view] = viewOfSystem(context.baseUrl, name)
  if (view) return view
  throw new Fault('not_found', `operating system ${JSON.stringify(name.slice(0, 64))} is not found`)
}
