// The stock images and operating systems, as static public records: clients and configurations name one, and that name is
// kept with the instance. There is no image file behind them here. A boot volume that is made for one is blank, and says
// neither `source_image` nor `operating_system`: whoever runs the machine installs it. Source: VPC API, "Images".

import type { Static } from 'typebox'
import { parseCrn } from '#base/crn.ts'
import { Fault } from '#base/fault.ts'
import { providerAccountId } from '#base/provider.ts'
import type { Anyone } from '#iam/port.ts'
import type { imageQuery } from './image-schemas.ts'
import { newestFirst, pageLinks, pageOf } from './page.ts'
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

export const isStockImage = (id: string): boolean => findImage(id) !== undefined

export const systemOfStock = (imageId: string): string | undefined =>
  stockImages.find(({ id }) => id === imageId)?.operatingSystem.name

export const isSystem = (name: string): boolean => operatingSystems.some((system) => system.name === name)

const findImage = (id: string): StockImage | undefined => stockImages.find((image) => image.id === id)

/** The image that the CRN names, stock or an account's own; null where it names none. */
export function imageIdOfCrn(text: string): string | null {
  const crn = parseCrn(text)
  return crn?.serviceName === 'is' && crn.resourceType === 'image' ? crn.resource : null
}

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
  allow_user_image_creation: true,
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

/** The stock images that a list asks for, newest first. */
export function stockImagesFor(query: Static<typeof imageQuery>): readonly StockImage[] {
  const format = query.user_data_format
  const remote = query['remote.account.id']
  const isAsked =
    query.visibility !== 'private' &&
    query.owner_type !== 'user' &&
    query['resource_group.id'] === undefined &&
    (query.status === undefined || query.status.split(',').includes('available')) &&
    (format === undefined || format.split(',').includes('cloud_init')) &&
    (remote === undefined || remote === 'not:null' || remote === providerAccountId)
  return isAsked
    ? stockImages.filter(({ name }) => query.name === undefined || query.name === name).toSorted(newestFirst)
    : []
}

export const stockImageView = (base: string, region: string, id: string) => {
  const image = findImage(id)
  return image && imageView(base, region, image)
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

export const viewOfSystem = (base: string, name: string) =>
  operatingSystems.filter((system) => system.name === name).map((system) => systemView(base, system))

export function getOperatingSystem(context: Anyone, name: string) {
  const [view] = viewOfSystem(context.baseUrl, name)
  if (view) return view
  throw new Fault('not_found', `operating system ${JSON.stringify(name.slice(0, 64))} is not found`)
}
