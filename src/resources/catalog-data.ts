// What can be provisioned, as the public catalog describes it. Source: Global Catalog API v1; ids of the catalog where
// they are published, ids of our own where they are not. Everything else (entries, deployments, names) derives from here.

export interface CatalogPlan {
  readonly id: string
  readonly name: string
  readonly displayName: string
  readonly description: string
  readonly isFree: boolean
  /** Empty for a service that is `global`. */
  readonly regions: readonly string[]
  /** Whether a deleted instance may be restored for a while: the catalog's "reclamation enabled" plans. */
  readonly isReclaimable: boolean
}

export interface CatalogService {
  readonly id: string
  readonly name: 'kms' | 'hs-crypto' | 'cloud-object-storage'
  readonly displayName: string
  readonly description: string
  readonly tags: readonly string[]
  readonly plans: readonly CatalogPlan[]
}

const kmsRegions = [
  'au-syd',
  'br-sao',
  'ca-mon',
  'ca-tor',
  'eu-de',
  'eu-es',
  'eu-gb',
  'in-che',
  'in-mum',
  'jp-osa',
  'jp-tok',
  'us-east',
  'us-south',
]

const hsmRegions = ['au-syd', 'br-sao', 'ca-tor', 'eu-de', 'eu-es', 'eu-gb', 'jp-tok', 'us-east', 'us-south']

export const catalogServices: readonly CatalogService[] = [
  {
    id: 'dff97f5c-bc5e-4455-b470-411c3edbe49c',
    name: 'cloud-object-storage',
    displayName: 'Object Storage',
    description: 'Buckets and objects',
    tags: ['storage', 'ibm_created', 'lite'],
    plans: [
      {
        id: '2fdf0c08-2d32-4f46-84b5-32e0c92fffd8',
        name: 'lite',
        displayName: 'Lite',
        description: 'Free, for one project',
        isFree: true,
        regions: [],
        isReclaimable: false,
      },
      {
        id: '744bfc56-d12c-4866-88d5-dac9139e0e5d',
        name: 'standard',
        displayName: 'Standard',
        description: 'By what is stored and read',
        isFree: false,
        regions: [],
        isReclaimable: true,
      },
    ],
  },
  {
    id: '7f8a2c34-5d16-4b0e-9c57-2a3e61d0b948',
    name: 'hs-crypto',
    displayName: 'Hyper Protect Crypto Services',
    description: 'Root keys in a hardware security module that is yours',
    tags: ['security', 'ibm_created'],
    plans: [
      {
        id: 'b1f0d7c2-84e3-4f6a-a5d9-0c6e2f9b7318',
        name: 'standard',
        displayName: 'Standard',
        description: 'By crypto unit',
        isFree: false,
        regions: hsmRegions,
        isReclaimable: false,
      },
    ],
  },
  {
    id: 'ee41347f-b18e-4ca6-bf80-b5467c63f9a6',
    name: 'kms',
    displayName: 'Key Protect',
    description: 'Root keys and standard keys',
    tags: ['security', 'ibm_created'],
    plans: [
      {
        id: 'eedd3585-90c6-4c8f-be3d-062069e99fc3',
        name: 'tiered-pricing',
        displayName: 'Standard',
        description: 'By key version',
        isFree: false,
        regions: kmsRegions,
        // With the instance the key manager destroys what is left of its keys, so there is nothing to restore.
        isReclaimable: false,
      },
      {
        id: '4e853ad3-5820-49c7-8d07-a179fb15b9ee',
        name: 'cross-region-resiliency',
        displayName: 'Cross-Region Resiliency',
        description: 'By key version, kept in another region too',
        isFree: false,
        regions: kmsRegions,
        isReclaimable: false,
      },
    ],
  },
]
