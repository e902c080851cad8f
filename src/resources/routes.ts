import type { Routes } from '#base/contract.ts'
import type { Anyone, Context } from '#iam/port.ts'
import { catalogPageView, entryView } from './catalog-views.ts'
import type { resourcesContract } from './contract.ts'
import { quotaById, quotas } from './quotas.ts'
import {
  catalogListing,
  catalogShown,
  instancePageRequest,
  instancePatch,
  newInstance,
  searchRequest,
} from './requests.ts'
import { keyPageRequest, keyPageView, keyView, newKey } from './key-views.ts'
import type { Resources } from './resources.ts'
import { parseTagName, parseTagNames } from './tag-name.ts'
import { attachMode, taggingOf, tagListing, tagRequest } from './tag-requests.ts'
import * as view from './views.ts'

export const resourcesRoutes = ({
  creation,
  instances,
  keys,
  reclamations,
  groups,
  catalog,
  search,
  tags,
}: Resources): Routes<typeof resourcesContract, Context, Anyone> => ({
  createResourceInstance: async (context, { body, headers }) =>
    view.instanceView(await creation.create(context, newInstance(body, headers['entity-lock'])), context.baseUrl),
  listResourceInstances: async (context, { query }) =>
    view.instancePageView(await instances.list(context, instancePageRequest(query)), query, context.baseUrl),
  getResourceInstance: async (context, { path }) =>
    view.instanceView(await instances.get(context, path.id), context.baseUrl),
  updateResourceInstance: async (context, { path, body }) =>
    view.instanceView(await instances.update(context, path.id, instancePatch(body)), context.baseUrl),
  deleteResourceInstance: (context, { path, query }) => instances.remove(context, path.id, query.recursive),
  lockResourceInstance: async (context, { path }) =>
    view.instanceView(await instances.lock(context, path.id), context.baseUrl),
  unlockResourceInstance: async (context, { path }) =>
    view.instanceView(await instances.unlock(context, path.id), context.baseUrl),
  cancelLastopResourceInstance: async (context, { path }) =>
    view.instanceView(await instances.cancel(context, path.id), context.baseUrl),

  createResourceKey: async (context, { body }) => keyView(await keys.create(context, newKey(body))),
  listResourceKeys: async (context, { query }) => keyPageView(await keys.list(context, keyPageRequest(query)), query),
  listResourceKeysForInstance: async (context, { path, query }) =>
    keyPageView(await keys.list(context, { ...keyPageRequest(query), instance: path.id }), query),
  getResourceKey: async (context, { path }) => keyView(await keys.get(context, path.id)),
  updateResourceKey: async (context, { path, body }) => keyView(await keys.rename(context, path.id, body.name)),
  deleteResourceKey: (context, { path }) => keys.remove(context, path.id),

  listReclamations: async (context, { query }) => ({
    resources: (
      await reclamations.list(context, {
        accountId: query.account_id,
        instanceGuid: query.resource_instance_id,
        resourceGroupId: query.resource_group_id,
      })
    ).map(view.reclamationView),
  }),
  runReclamationAction: async (context, { path }) =>
    view.reclamationView(await reclamations.run(context, path.id, path.action_name)),

  listResourceGroups: async (context, { query }) => ({
    resources: (
      await groups.list(context, { accountId: query.account_id, name: query.name, isDefault: query.default })
    ).map(view.groupView),
  }),
  createResourceGroup: async (context, { body }) =>
    view.newGroupView(await groups.create(context, { name: body.name, accountId: body.account_id })),
  getResourceGroup: async (context, { path }) => view.groupView(await groups.get(context, path.id)),
  updateResourceGroup: async (context, { path, body }) =>
    view.groupView(await groups.update(context, path.id, { name: body?.name, state: body?.state })),
  deleteResourceGroup: (context, { path }) => groups.remove(context, path.id),
  listQuotaDefinitions: async () => ({ resources: quotas.map(view.quotaView) }),
  getQuotaDefinition: async (_, { path }) => view.quotaView(quotaById(path.id)),

  listCatalogEntries: async ({ baseUrl }, { query }) =>
    catalogPageView(catalog.list(catalogListing(query)), '/api/v1', catalogShown(query, baseUrl)),
  getCatalogEntry: async ({ baseUrl }, { path, query }) =>
    entryView(catalog.get(path.id), catalogShown(query, baseUrl)),
  getChildObjects: async ({ baseUrl }, { path, query }) =>
    catalogPageView(
      catalog.children(path.id, path.kind, catalogListing(query)),
      `/api/v1/${encodeURIComponent(path.id)}/${encodeURIComponent(path.kind)}`,
      catalogShown(query, baseUrl),
    ),

  searchResources: async (context, { query, body }) =>
    view.searchView(await search.search(context, searchRequest(query, body))),

  listTags: async (context, { query }) =>
    view.tagPageView(await tags.list(context, tagListing(query)), tagListing(query)),
  createTag: async (context, { query, body }) =>
    view.newTagsView(
      await tags.create(context, tagRequest(query), parseTagNames(body.tag_names, tagRequest(query).type)),
    ),
  deleteTagAll: async (context, { query }) => view.deletedTagsView(await tags.removeUnused(context, tagRequest(query))),
  deleteTag: async (context, { path, query }) =>
    view.deletedTagView(
      await tags.remove(context, tagRequest(query), parseTagName(path.tag_name, tagRequest(query).type)),
    ),
  attachTag: async (context, { query, body }) =>
    view.taggingView(await tags.attach(context, await taggingOf(context, search, query, body), attachMode(query))),
  detachTag: async (context, { query, body }) =>
    view.taggingView(await tags.detach(context, await taggingOf(context, search, query, body))),
})
