// One fault, several dialects: the only place that writes an error body. Sources: IBM Cloud IAM token and identity API,
// IAM policy management API, Key Protect API, resource controller API and VPC API, "Error handling" of each; Amazon S3,
// "Error responses", for object storage.

import type { Explanation, Fault, FaultCode } from '#base/fault.ts'
import { printXml } from '#base/xml.ts'

export type Dialect = 'identity' | 'policy' | 'kms' | 'resources' | 'vpc' | 'cos'

const status = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  gone: 410,
  precondition: 412,
  too_large: 413,
  unprocessable: 422,
  over_limit: 429,
  not_implemented: 501,
  unavailable: 503,
} as const satisfies Record<FaultCode, number>

/** Codes where a service documents one name for the whole kind and the fault does not say a finer one. */
const reasons = {
  identity: {
    invalid: 'BXNIM0109E',
    unauthenticated: 'BXNIM0407E',
    forbidden: 'BXNIM0513E',
    not_found: 'BXNIM0104E',
    conflict: 'BXNIM0104E',
    gone: 'BXNIM0104E',
    precondition: 'BXNIM0104E',
    too_large: 'BXNIM0109E',
    unprocessable: 'BXNIM0109E',
    over_limit: 'BXNIM0129E',
    not_implemented: 'BXNIM0501E',
    unavailable: 'BXNIM0503E',
  },
  policy: {
    invalid: 'invalid_body',
    unauthenticated: 'invalid_token',
    // The service's own spelling.
    forbidden: 'insufficent_permissions',
    not_found: 'not_found',
    conflict: 'policy_conflict_error',
    gone: 'not_found',
    precondition: 'policy_conflict_error',
    too_large: 'invalid_body',
    unprocessable: 'unable_to_process',
    over_limit: 'too_many_requests',
    not_implemented: 'request_not_processed',
    unavailable: 'request_not_processed',
  },
  kms: {
    invalid: 'BAD_BODY_ERR',
    unauthenticated: 'UNAUTHORIZED_ERR',
    forbidden: 'UNAUTHORIZED_ERR',
    not_found: 'KEY_NOT_FOUND_ERR',
    conflict: 'KEY_ACTION_INVALID_STATE_ERR',
    gone: 'KEY_DELETED_ERR',
    precondition: 'KEY_ACTION_INVALID_STATE_ERR',
    too_large: 'BAD_BODY_ERR',
    unprocessable: 'UNPROCESSABLE_CIPHERTEXT_ERR',
    over_limit: 'TOO_MANY_REQUESTS_ERR',
    not_implemented: 'FEATURE_RESTRICTED_ERR',
    unavailable: 'SERVICE_UNAVAILABLE_ERR',
  },
  resources: {
    invalid: 'RC-ValidationError',
    unauthenticated: 'RC-IamAuthenticationFailed',
    forbidden: 'RC-NotAuthorized',
    not_found: 'RC-ResourceNotFound',
    conflict: 'RC-Conflict',
    gone: 'RC-ResourceGone',
    precondition: 'RC-Conflict',
    too_large: 'RC-ValidationError',
    unprocessable: 'RC-ValidationError',
    over_limit: 'RC-TooManyRequests',
    not_implemented: 'RC-NotImplemented',
    unavailable: 'RC-ServiceUnavailable',
  },
  vpc: {
    invalid: 'bad_request',
    unauthenticated: 'token_invalid',
    forbidden: 'not_authorized',
    not_found: 'not_found',
    conflict: 'invalid_state',
    gone: 'not_found',
    precondition: 'etag_mismatch',
    too_large: 'bad_request',
    unprocessable: 'bad_request',
    over_limit: 'rate_limit_exceeded',
    not_implemented: 'not_implemented',
    unavailable: 'backend_service_unavailable',
  },
  cos: {
    invalid: 'InvalidArgument',
    unauthenticated: 'AccessDenied',
    forbidden: 'AccessDenied',
    not_found: 'NoSuchKey',
    conflict: 'OperationAborted',
    gone: 'NoSuchKey',
    precondition: 'PreconditionFailed',
    too_large: 'EntityTooLarge',
    unprocessable: 'InvalidRequest',
    over_limit: 'SlowDown',
    not_implemented: 'NotImplemented',
    unavailable: 'ServiceUnavailable',
  },
} as const satisfies Record<Dialect, Record<FaultCode, string>>

/** The JSON-schema family of VPC error codes; the other services have one code for every wrong body. */
const vpcSchemaReasons: Readonly<Record<string, string>> = {
  required: 'validation_required_field',
  type: 'validation_invalid_field_type',
  enum: 'validation_enum',
  minimum: 'validation_min_value',
  maximum: 'validation_max_value',
  pattern: 'validation_failed_pattern',
  anyOf: 'validation_failed_anyof',
  oneOf: 'validation_only_one',
  additionalProperties: 'invalid_request_field',
}

function schemaReason(dialect: Dialect, { keyword, target }: Fault): string | undefined {
  if (dialect === 'policy' && keyword === 'required' && target?.type === 'parameter') {
    return 'missing_required_query_parameter'
  }
  if (dialect === 'kms' && keyword !== undefined && target?.type === 'parameter') return 'INVALID_QUERY_PARAM_ERR'
  return dialect === 'vpc' && keyword !== undefined ? vpcSchemaReasons[keyword] : undefined
}

/** Statuses of object storage that its kind of fault does not tell. Amazon S3, "List of error codes". */
const cosStatuses: Readonly<Record<string, number>> = {
  AccessDenied: 403,
  EntityTooLarge: 400,
  InvalidRange: 416,
  InvalidRequest: 400,
  MethodNotAllowed: 405,
  MissingContentLength: 411,
  SlowDown: 503,
}

export interface ErrorBody {
  readonly status: number
  /** JSON, or the text of an XML document. */
  readonly body: Record<string, unknown> | string
}

/** What the edge knows of the failed request, for bodies that repeat it. */
export interface Failed {
  readonly requestId: string
  readonly url: string
  readonly at: string
  /** Whether it came without any token: VPC has a code of its own for that. */
  readonly hasNoToken?: boolean
}

export function errorBody(dialect: Dialect, fault: Fault, failed: Failed): ErrorBody {
  const code = isKmsStranger(dialect, fault) ? 'unauthenticated' : fault.code
  const isTokenless = dialect === 'vpc' && fault.code === 'unauthenticated' && failed.hasNoToken
  const general = isTokenless ? 'token_missing' : reasons[dialect][fault.code]
  const reason = fault.reason ?? schemaReason(dialect, fault) ?? general
  if (dialect === 'cos') return { status: cosStatuses[reason] ?? status[code], body: cosBody(fault, reason, failed) }
  const body = { ...writers[dialect](fault, reason, status[code], failed), ...explained(fault.explanation) }
  return { status: status[code], body }
}

/**
 * Key Protect answers 401 with a bare sentence to whoever may not, so that a stranger does not learn whether the key
 * exists. Its 403 is for rules that have a code of their own, such as SERVICE_ONLY_ERR.
 */
const isKmsStranger = (dialect: Dialect, fault: Fault): boolean =>
  dialect === 'kms' && fault.code === 'forbidden' && fault.reason === undefined

/** For a bug of ours: 500 in the dialect, and nothing of what happened. */
export function brokenBody(dialect: Dialect, fault: Fault, failed: Failed): ErrorBody {
  if (dialect === 'cos') return { status: 500, body: cosBody(fault, 'InternalError', failed) }
  const reason = { identity: 'BXNIM0500E', policy: 'request_not_processed', kms: 'INTERNAL_ERR' } as const
  const code = dialect === 'resources' || dialect === 'vpc' ? 'internal_error' : reason[dialect]
  return { status: 500, body: writers[dialect](fault, code, 500, failed) }
}

/** An extension that strict clients ignore: what is missing, in whose account, and the policy that would mend it. */
const explained = (explanation: Explanation | undefined) => (explanation ? { explanation } : {})

type Writer = (fault: Fault, reason: string, status: number, failed: Failed) => Record<string, unknown>

/** Strict readers of the dialect know no explanation; it is in the header, and its sentence in the message. */
const cosBody = (fault: Fault, code: string, { url, requestId }: Failed): string =>
  printXml({
    Error: { Code: code, Message: fault.message, ...fault.extra, Resource: url, RequestId: requestId },
  })

const writers: Record<Exclude<Dialect, 'cos'>, Writer> = {
  identity: (fault, reason, _, { requestId, url, at }) => ({
    errorCode: reason,
    errorMessage: fault.message,
    ...(fault.target && { errorDetails: `${fault.target.type} ${fault.target.name}` }),
    context: { requestId, url, startTime: at },
  }),
  policy: (fault, reason, status, { requestId }) => ({
    trace: requestId,
    errors: [{ code: reason, message: fault.message, ...(fault.extra && { details: fault.extra }) }],
    status_code: status,
  }),
  kms: (fault, reason, status) => ({
    metadata: { collectionType: 'application/vnd.ibm.kms.error+json', collectionTotal: 1 },
    resources: [
      {
        errorMsg: kmsSentence(fault, reason, status),
        ...(status !== 401 && {
          reasons: [
            {
              code: reason,
              message: fault.message,
              status,
              moreInfo: 'https://cloud.ibm.com/apidocs/key-protect',
              ...(fault.target && { target: { type: kmsTarget[fault.target.type], name: fault.target.name } }),
            },
          ],
        }),
      },
    ],
  }),
  resources: (fault, reason, status, { requestId }) => ({
    message: fault.message,
    status_code: status,
    transaction_id: requestId,
    error_code: reason,
  }),
  vpc: (fault, reason, _, { requestId }) => ({
    errors: [
      {
        code: reason,
        message: fault.message,
        ...(fault.target && { target: { ...fault.target } }),
      },
    ],
    trace: requestId,
  }),
}

const kmsTarget = { field: 'field', parameter: 'query_param', header: 'header' } as const

const kmsPhrases: Record<FaultCode, string> = {
  invalid: 'Bad Request',
  unauthenticated: 'Unauthorized',
  forbidden: 'Forbidden',
  not_found: 'Not Found',
  conflict: 'Conflict',
  gone: 'Gone',
  precondition: 'Precondition Failed',
  too_large: 'Request Entity Too Large',
  unprocessable: 'Unprocessable Entity',
  over_limit: 'Too Many Requests',
  not_implemented: 'Not Implemented',
  unavailable: 'Service Unavailable',
}

function kmsSentence(fault: Fault, reason: string, status: number): string {
  const phrase = kmsPhrases[fault.code]
  if (status === 401) return `Unauthorized: ${fault.message}`
  return `${phrase}: ${fault.message}: Please see \`reasons\` for more details (${reason})`
}
