/** One entry of the catalogue: `when` it is answered and what the caller can do about it, in Markdown. */
export interface ProblemEntry {
  readonly status: number;
  readonly title: string;
  readonly when: string;
  /** Empty when there is nothing to do. */
  readonly remedy: string;
}

/**
 * The errors of the API: RFC 9457 problem documents whose `code` is stable. docs/errors.md and the OpenAPI document
 * are made from this catalogue.
 */
export const PROBLEMS = {
  malformed_request: {
    status: 400,
    title: 'The request is not well-formed HTTP',
    when: 'The request is not HTTP/1.1: bad framing, a bad length, a bad escape in the path.',
    remedy: 'Mend the client.',
  },
  invalid_json: {
    status: 400,
    title: 'The body is not valid JSON',
    when: 'The body is not JSON in UTF-8; `detail` says at which byte. A byte order mark is a fault too.',
    remedy: 'Mend the body.',
  },
  json_too_deep: {
    status: 400,
    title: 'The JSON body is nested too deeply',
    when: 'More than 64 objects and arrays inside one another.',
    remedy: 'Send a flatter document, or the deep part as a string.',
  },
  invalid_request: {
    status: 400,
    title: 'The request has faults',
    when: 'The JSON is well-formed, but fields are missing, unknown or wrong; `errors` lists all of them.',
    remedy: 'Mend what `errors` names.',
  },
  invalid_idempotency_key: {
    status: 400,
    title: 'The Idempotency-Key header cannot be used',
    when: 'It is not 1–255 printable ASCII characters, came more than once, or came with a batch.',
    remedy: 'Send one key for one event; in a batch give each event an `event_id` of your own.',
  },
  unauthenticated: {
    status: 401,
    title: 'A valid API key is required',
    when: 'No `Authorization: Bearer <key>`, or a key or portal token that is malformed, unknown, revoked or expired.',
    remedy: 'Use a valid key. A new one is effective at once, a revoked one stops within 5 s.',
  },
  forbidden: {
    status: 403,
    title: 'This key may not do that',
    when: 'The operation is for another kind of caller, or for a scope that the key is without; or the key would give more than it has.',
    remedy: 'Use a key that may: docs/guides/access.md has the table.',
  },
  tenant_reserved: {
    status: 403,
    title: 'This tenant is the system’s own',
    when: 'The tenant `posthorn` is the system’s own: webhooks for operational events can be made for it, nothing else.',
    remedy: 'Use a tenant of your own.',
  },
  tenant_disabled: {
    status: 403,
    title: 'The tenant is disabled',
    when: 'An operator has disabled the tenant (`enabled`): its events are refused. What was accepted is delivered, all can be read.',
    remedy: 'Enable it, then send the event again.',
  },
  route_not_found: {
    status: 404,
    title: 'There is nothing at this path',
    when: 'There is nothing at this path.',
    remedy: 'Check the path.',
  },
  tenant_not_found: {
    status: 404,
    title: 'There is no such tenant',
    when: 'There is no such tenant, or the key is another tenant’s.',
    remedy: 'Create the tenant, or use its key.',
  },
  plan_not_found: {
    status: 404,
    title: 'There is no such plan',
    when: 'There is no such plan.',
    remedy: 'Put it.',
  },
  webhook_not_found: {
    status: 404,
    title: 'There is no such webhook',
    when: 'There is no such webhook, or it was deleted.',
    remedy: '',
  },
  event_type_not_found: {
    status: 404,
    title: 'There is no such event type',
    when: 'There is no such event type in the catalogue, or not the version that was asked for.',
    remedy: '',
  },
  event_not_found: {
    status: 404,
    title: 'There is no such event',
    when: 'There is no such event, its retention is over, or it was accepted moments ago and is not recorded yet.',
    remedy: 'Ask again in a second if it is new.',
  },
  delivery_not_found: {
    status: 404,
    title: 'There is no such delivery',
    when: 'The same for a delivery.',
    remedy: '',
  },
  attempt_not_found: {
    status: 404,
    title: 'There is no such attempt',
    when: 'The same for an attempt.',
    remedy: '',
  },
  key_not_found: {
    status: 404,
    title: 'There is no such key',
    when: 'No key has that id, it is revoked, or it is one that this key may not see.',
    remedy: 'Check the id.',
  },
  job_not_found: {
    status: 404,
    title: 'There is no such job',
    when: 'There is no such job, or it is another tenant’s.',
    remedy: '',
  },
  method_not_allowed: {
    status: 405,
    title: 'This path does not take this method',
    when: 'The path exists, but not with this method; `Allow` lists those it takes.',
    remedy: '',
  },
  request_timeout: {
    status: 408,
    title: 'The request took too long to arrive',
    when: 'The headers took longer than 10 s to arrive, or the whole request longer than 15 s.',
    remedy: '',
  },
  tenant_exists: {
    status: 409,
    title: 'The tenant exists already',
    when: 'There is a tenant of this id already, or there was one that is deleted.',
    remedy: '',
  },
  tenant_lookalike: {
    status: 409,
    title: 'The tenant’s id is easily taken for another’s',
    when: 'A tenant, `tenant_id` in the answer, has an id that differs in case, in `-` and `_`, or in `0` and `o`, `1`, `i` and `l` alone. A deleted one counts.',
    remedy: 'If it is the same customer, use that id; else choose another.',
  },
  plan_in_use: {
    status: 409,
    title: 'Tenants have the plan',
    when: 'A plan that some tenant has, or `default`, cannot be deleted.',
    remedy: 'Give its tenants another plan first.',
  },
  idempotency_in_progress: {
    status: 409,
    title: 'A request with the same key is not settled yet',
    when: 'Another request with the same `Idempotency-Key` or `event_id` is under way, or it is not certain yet what became of it.',
    remedy: 'Ask again with the same one after `Retry-After`.',
  },
  event_type_exists: {
    status: 409,
    title: 'The event type exists already',
    when: 'There is an event type of this name already; it may be archived.',
    remedy: 'Change it, or add a version to it.',
  },
  change_conflict: {
    status: 409,
    title: 'Somebody else made a change meanwhile',
    when: 'What the request was to change is no longer what it was when the request was read.',
    remedy: 'Send it again.',
  },
  too_many_event_types: {
    status: 409,
    title: 'The catalogue of event types is full',
    when: 'The catalogue has `limit` types, or the type `limit` versions.',
    remedy: 'Types are never removed: use one type with labels for what differs little.',
  },
  webhook_quota_exceeded: {
    status: 409,
    title: 'The tenant has as many webhooks as its quota allows',
    when: 'The tenant has `max_webhooks` webhooks; `limit` says how many.',
    remedy: 'Delete some or raise the quota.',
  },
  webhook_disabled: {
    status: 409,
    title: 'The webhook is disabled',
    when: 'The webhook is disabled (`detail` says by what): it can be neither paused nor resumed, and nothing is replayed to it.',
    remedy: 'Enable it first: `PATCH /webhooks/:id` with `{"enabled": true}`.',
  },
  webhook_unverified: {
    status: 409,
    title: 'The receiver has not agreed to get requests',
    when: 'This installation asks receivers before anything is sent to them (`ENDPOINT_VERIFICATION`), and the webhook’s URL has not agreed.',
    remedy: 'Have it asked: `POST /webhooks/:id/verify`.',
  },
  verification_failed: {
    status: 422,
    title: 'The receiver did not agree to get requests',
    when: 'The receiver of the webhook did not answer the handshake as docs/guides/endpoint-verification.md asks; `detail` says what it did.',
    remedy: 'Mend the receiver, then ask again.',
  },
  too_many_keys: {
    status: 409,
    title: 'There are too many keys',
    when: 'A tenant, or the operators, have 100 keys that are good.',
    remedy: 'Revoke one that is not used any more.',
  },
  last_admin_key: {
    status: 409,
    title: 'This is the last admin key',
    when: 'Nobody would be left who may make keys of operators.',
    remedy: 'Make another key with the scope `admin` and no end first.',
  },
  too_many_lanes: {
    status: 409,
    title: 'The tenant has more lanes than concurrent deliveries',
    when: 'More lanes (those that still drain included: `lanes`) than `max_concurrent_deliveries` (`limit`): each needs a share of one at least.',
    remedy: 'Raise the quota, take fewer lanes, or wait until the old ones have drained.',
  },
  too_many_jobs: {
    status: 409,
    title: 'The tenant has as many unfinished jobs as it may have',
    when: 'The tenant has `limit` replay jobs that are not over.',
    remedy: 'Wait for one, or cancel one.',
  },
  too_many_cancellations: {
    status: 409,
    title: 'The tenant has as many cancellations in force as it may have',
    when: 'The tenant has `limit` cancellations in force; each is kept as long as something of it can still come by.',
    remedy: 'Cancel for the whole tenant, which takes the place of all of them, or pause the webhook.',
  },
  job_finished: {
    status: 409,
    title: 'The job is over',
    when: 'A job that is done, failed or cancelled cannot be cancelled.',
    remedy: '',
  },
  not_a_dead_letter: {
    status: 409,
    title: 'The delivery is not in the dead letters',
    when: 'Only a delivery in the state `failed` is retried or removed; `detail` says where this one stands.',
    remedy: 'To send what had succeeded again, replay the event.',
  },
  too_many_secrets: {
    status: 409,
    title: 'The webhook has as many secrets as may sign at once',
    when: 'The secret was rotated before the grace periods of earlier rotations ended: `limit` secrets sign already.',
    remedy: 'End the grace periods (`DELETE /webhooks/:id/secret/previous`), or wait for their end.',
  },
  payload_expired: {
    status: 410,
    title: 'The payload is no longer kept',
    when: 'The event or delivery is known, its payload is not kept any more: its retention is over, or somebody asked to forget it.',
    remedy: '',
  },
  precondition_failed: {
    status: 412,
    title: 'The webhook was changed meanwhile',
    when: '`If-Match` names a state that is no longer the current one; `ETag` of this answer names that.',
    remedy: 'Get it again, decide anew, and send the `ETag` of what you saw.',
  },
  payload_too_large: {
    status: 413,
    title: 'The payload is too large',
    when: 'The payload has more than 256 KB, or the body more than the route takes.',
    remedy: '',
  },
  batch_too_large: {
    status: 413,
    title: 'The batch is too large',
    when: 'More than 1,000 events or 5 MB in one request to `/events/batch`. Of newline-delimited JSON it is the last of the results: what came before it was taken, nothing after it was read.',
    remedy: 'Send the rest in another request.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'The body is of a media type that this path does not take',
    when: 'The body is not `application/json`, or for events not one of the forms that `detail` names.',
    remedy: '',
  },
  idempotency_mismatch: {
    status: 422,
    title: 'The key was used for another event',
    when: 'Within the last 24 hours another body came with the same `Idempotency-Key` or `event_id`. Bodies are compared byte for byte.',
    remedy: 'Send each event with a key or id of its own, and repeat a request as it was.',
  },
  precondition_required: {
    status: 428,
    title: 'The request must say which state it replaces',
    when: '`PUT /webhooks/:id` without `If-Match`.',
    remedy: 'Send the `ETag` of what you replace, or `*` for whatever is there.',
  },
  event_type_unknown: {
    status: 422,
    title: 'The event type is not in the catalogue',
    when: 'The type is not in the catalogue of event types, or archived, and the tenant’s policy `unknown_event_types` is `reject`.',
    remedy: 'Add the type to the catalogue, or change the policy.',
  },
  payload_invalid: {
    status: 422,
    title: 'The payload does not fit the schema of its type',
    when: 'The event type enforces its JSON Schema; `errors` says where the payload does not fit it.',
    remedy: 'Mend the payload, or the type’s schema.',
  },
  event_quota_exceeded: {
    status: 429,
    title: 'The tenant sends more events than its quota allows',
    when: 'More than `max_events_per_sec` events in one second. Members `limit`, `remaining` and `reset` (seconds until there is room again), and `quota`; headers `RateLimit` and `RateLimit-Policy`. Counted over all replicas of the API; what was admitted too much before they knew of each other is repaid from the next seconds.',
    remedy: 'Wait for `Retry-After`, or raise the quota.',
  },
  dlq_quota_exceeded: {
    status: 429,
    title: 'The tenant has as many dead letters as its quota allows',
    when: 'The tenant has `max_dlq_size` dead letters (`count`, `limit`) and his policy is to refuse events then. Members and headers as of `event_quota_exceeded`.',
    remedy: 'Retry or remove dead letters, raise the quota, or choose the policy `drop_oldest` or `warn`.',
  },
  headers_too_large: {
    status: 431,
    title: 'The request headers are too large',
    when: 'The headers have more than 16 KB.',
    remedy: '',
  },
  internal: {
    status: 500,
    title: 'Something went wrong on our side',
    when: 'A fault of ours. It is logged with the `request_id`.',
    remedy: 'Report it. For `POST /events` treat it as `outcome_unknown`.',
  },
  not_accepted: {
    status: 503,
    title: 'The event was not accepted',
    when: 'The event was certainly not written: Kafka is away or too slow.',
    remedy: 'Send it again.',
  },
  outcome_unknown: {
    status: 503,
    title: 'It is not known whether the event was accepted',
    when: 'Kafka’s acknowledgement was lost: the event may have been accepted, the cancellation or removal may have been written.',
    remedy:
      'Send an event with an `Idempotency-Key` or `event_id` again as it was: one event comes of it. Without either, send it again if two do less harm than none; a cancellation or a removal can always be asked for again.',
  },
  tenant_unavailable: {
    status: 503,
    title: 'The configuration of the tenant cannot be had now',
    when: 'Postgres is away and this tenant’s configuration is not cached. Nothing was done.',
    remedy: 'Send it again.',
  },
  change_unconfirmed: {
    status: 503,
    title: 'The change is made, but not yet known to be effective everywhere',
    when: 'The change is made and stored, but not every replica has said that it works with it. What was made is in the members (`webhook_id` and `secret`, `tenant_id` and `api_key`).',
    remedy: 'Do not repeat it; it becomes effective within seconds.',
  },
  payload_not_checked: {
    status: 503,
    title: 'The payload could not be checked against the schema of its type',
    when: 'The event type enforces its JSON Schema, and the check took too long, or too many wait. The event was not accepted.',
    remedy: 'Send it again; if that does not help, simplify the schema.',
  },
  database_unavailable: {
    status: 503,
    title: 'The database cannot be reached',
    when: 'Postgres is away, and this route, an API key that is not cached, or an event with an `Idempotency-Key` or `event_id` needs it.',
    remedy: 'Send it again.',
  },
  overloaded: {
    status: 503,
    title: 'Too many requests are under way',
    when: 'Too many requests, too many bytes of them, or too many of this tenant alone are under way; or too many questions wait for Postgres.',
    remedy: 'Send it again after `Retry-After`, with a growing delay.',
  },
  loop_detected: {
    status: 508,
    title: 'The request came back to where it was sent',
    when: 'It carries the header `cdn-loop` (RFC 8586) with the name of this system (`LOOP_NAME`): a webhook leads to this API.',
    remedy:
      'Point the webhook elsewhere. A client of your own that hands on the headers of a webhook leaves this one out.',
  },
} as const satisfies Record<string, ProblemEntry>;

export type ProblemCode = keyof typeof PROBLEMS;
