import type { Routes } from '#base/contract.ts'
import type { Anyone, Context } from '#iam/port.ts'
import type { ledgerContract } from './contract.ts'
import type { Ledger } from './ledger.ts'

export const ledgerRoutes = (ledger: Ledger): Routes<typeof ledgerContract, Context, Anyone> => ({
  ...useRoutes(ledger),
  ...noticeRoutes(ledger),
  ...webhookRoutes(ledger),
  ...planRoutes(ledger),
  ...certificateRoutes(ledger),
})

type AllRoutes = Routes<typeof ledgerContract, Context, Anyone>

const useRoutes = ({ uses, impacts, foreignKeys, grants, proofs }: Ledger) =>
  ({
    listKeyUses: (context, input) => uses.list(context, input),
    foreseeImpact: (context, input) => impacts.foresee(context, input),
    listForeignKeys: (context, { query }) => foreignKeys.list(context, query),
    listGrants: (context, { query }) => grants.list(context, query),
    getLatestProof: (context, { query }) => proofs.get(context, query),
    createProof: (context, { query }) => proofs.create(context, query),
  }) satisfies Partial<AllRoutes>

const noticeRoutes = ({ notices, streams }: Ledger) =>
  ({
    listNotices: (context, { query }) => notices.list(context, query),
    streamNotices: (context, input) => streams.start(context, input),
    getNotice: (context, { path }) => notices.get(context, path.id),
    readNotice: (context, { path }) => notices.read(context, path.id),
    acknowledgeNotice: (context, { path, body }) => notices.acknowledge(context, path.id, body),
  }) satisfies Partial<AllRoutes>

const webhookRoutes = ({ webhooks }: Ledger) =>
  ({
    listWebhooks: (context, { query }) => webhooks.list(context, query),
    createWebhook: (context, { query, body }) => webhooks.create(context, query, body),
    getWebhook: (context, { path, query }) => webhooks.get(context, path.id, query),
    updateWebhook: (context, { path, query, body }) => webhooks.update(context, path.id, query, body),
    deleteWebhook: (context, { path, query }) => webhooks.remove(context, path.id, query),
    rotateWebhookSecret: (context, { path, query }) => webhooks.rotateSecret(context, path.id, query),
    listWebhookDeliveries: (context, { path, query }) => webhooks.deliveries(context, path.id, query),
    redriveWebhookDelivery: (context, { path, query }) => webhooks.redrive(context, path.id, path.delivery_id, query),
  }) satisfies Partial<AllRoutes>

const planRoutes = ({ plans }: Ledger) =>
  ({
    announcePlan: (context, input) => plans.announce(context, input),
    listPlans: (context, input) => plans.list(context, input),
    getPlan: (context, { path }) => plans.get(context, path.id),
    withdrawPlan: (context, { path }) => plans.withdraw(context, path.id),
    proceedWithPlan: (context, { path, body }) => plans.proceed(context, path.id, body),
  }) satisfies Partial<AllRoutes>

const certificateRoutes = ({ certificates }: Ledger) =>
  ({
    getDestroyCertificate: (context, { path, query }) => certificates.get(context, path.id, query),
    getDestroyedDataKeys: (context, { query }) => certificates.getPart(context, query),
  }) satisfies Partial<AllRoutes>
