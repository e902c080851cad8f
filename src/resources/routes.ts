import type { Routes } from '#base/contract.ts'
import type { Anyone, Context } from '#iam/port.ts'
import type { resourcesContract } from './contract.ts'
import { instancePageRequest, newInstance } from './requests.ts'
import type { Resources } from './resources.ts'
import { groupView, instancePage, instanceView } from './views.ts'

export const resourcesRoutes = ({
  instances,
  groups,
}: Resources): Routes<typeof resourcesContract, Context, Anyone> => ({
  createResourceInstance: async (context, { body }) =>
    instanceView(await instances.create(context, newInstance(body)), context.baseUrl),
  listResourceInstances: async (context, { query }) => {
    const { filter, after, limit } = instancePageRequest(query)
    return instancePage(await instances.list(context, filter, after, limit), context.baseUrl, limit)
  },
  getResourceInstance: async (context, { path }) =>
    instanceView(await instances.get(context, path.id), context.baseUrl),
  deleteResourceInstance: (context, { path }) => instances.remove(context, path.id),
  listResourceGroups: async (context, { query }) => ({
    resources: (
      await groups.list(context, { accountId: query.account_id, name: query.name, isDefault: query.default })
    ).map(groupView),
  }),
  getResourceGroup: async (context, { path }) => groupView(await groups.get(context, path.id)),
})
