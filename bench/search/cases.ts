import {
  countDeadLetters,
  type DeliveryFilter,
  findAttempt,
  findDelivery,
  findWholeEvent,
  listAttempts,
  listDeadLetters,
  type PoolSql,
  queryRollups,
  type RollupQuery,
  rollupStats,
  searchAttempts,
  searchDeliveries,
  searchEvents,
} from '@posthorn/db';

/** Rows to ask about, drawn anew for each call. */
export interface Drawn {
  readonly tenantId: string;
  readonly endpointId: string;
  readonly eventId: string;
  readonly deliveryId: string;
  readonly attemptId: string;
  readonly clientEventId: string | null;
  readonly atMs: number;
}

export interface Case {
  readonly name: string;
  readonly kind: 'list' | 'look-up' | 'analytics';
  ask(sql: PoolSql, drawn: Drawn): Promise<unknown>;
}

const PAGE = 50;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const first = () => ({ limit: PAGE, direction: 'older', after: null, nowMs: Date.now() }) as const;

const list = (name: string, ask: Case['ask']): Case => ({ name: `GET ${name}`, kind: 'list', ask });
const lookUp = (name: string, ask: Case['ask']): Case => ({ name: `GET ${name}`, kind: 'look-up', ask });

const deliveries = (name: string, filter: (drawn: Drawn) => DeliveryFilter): Case =>
  list(`/deliveries?${name}`, (sql, drawn) => searchDeliveries(sql, drawn.tenantId, filter(drawn), first()));

const DELIVERIES: readonly Case[] = [
  deliveries('', () => ({})),
  list('/deliveries?cursor=…', (sql, drawn) =>
    searchDeliveries(sql, drawn.tenantId, {}, { ...first(), after: drawn.deliveryId }),
  ),
  deliveries('webhook_id', ({ endpointId }) => ({ endpointIds: [endpointId] })),
  deliveries('webhook_id&state=failed', ({ endpointId }) => ({ endpointIds: [endpointId], state: 'failed' })),
  deliveries('three of the webhooks', ({ endpointId }) => ({ endpointIds: [endpointId, 'ep_a', 'ep_b'] })),
  deliveries('state=failed', () => ({ state: 'failed' })),
  deliveries('state=cancelled', () => ({ state: 'cancelled' })),
  deliveries('status_class=5xx', () => ({ statusClass: '5xx' })),
  deliveries('failure=tls (rare)', () => ({ failure: 'tls' })),
  deliveries('event_type (1 of 20)', () => ({ eventType: 'order.type-7' })),
  deliveries('event_type of none', () => ({ eventType: 'nothing.like.it' })),
  deliveries('min_created_at&max_created_at', ({ atMs }) => ({
    minCreatedAtMs: atMs - HOUR_MS,
    maxCreatedAtMs: atMs,
  })),
  deliveries('event_id', ({ eventId }) => ({ eventId })),
  list('/deliveries (operator)', (sql) => searchDeliveries(sql, null, {}, first())),
  list('/deliveries?state=failed (operator)', (sql) =>
    searchDeliveries(sql, null, { state: 'failed' }, first()),
  ),
  list('/deliveries?failure=tls (operator)', (sql) =>
    searchDeliveries(sql, null, { failure: 'tls' }, first()),
  ),
];

const attempts = (name: string, filter: (drawn: Drawn) => Parameters<typeof searchAttempts>[2]): Case =>
  list(`/attempts?${name}`, (sql, drawn) => searchAttempts(sql, drawn.tenantId, filter(drawn), first()));

const ATTEMPTS: readonly Case[] = [
  attempts('', () => ({})),
  list('/attempts?cursor=…', (sql, drawn) =>
    searchAttempts(sql, drawn.tenantId, {}, { ...first(), after: drawn.attemptId }),
  ),
  attempts('webhook_id', ({ endpointId }) => ({ endpointIds: [endpointId] })),
  attempts('webhook_id&status_class=2xx', ({ endpointId }) => ({
    endpointIds: [endpointId],
    statusClass: '2xx',
  })),
  attempts('status_class=5xx', () => ({ statusClass: '5xx' })),
  attempts('failure=tls (rare)', () => ({ failure: 'tls' })),
  attempts('event_type of none', () => ({ eventType: 'nothing.like.it' })),
  attempts('min_created_at&max_created_at', ({ atMs }) => ({
    minCreatedAtMs: atMs - HOUR_MS,
    maxCreatedAtMs: atMs,
  })),
  attempts('delivery_id', ({ deliveryId }) => ({ deliveryId })),
  attempts('event_id', ({ eventId }) => ({ eventId })),
  list('/attempts (operator)', (sql) => searchAttempts(sql, null, {}, first())),
];

const events = (name: string, filter: (drawn: Drawn) => Parameters<typeof searchEvents>[2]): Case =>
  list(`/events?${name}`, (sql, drawn) => searchEvents(sql, drawn.tenantId, filter(drawn), first()));

const EVENTS: readonly Case[] = [
  events('', () => ({})),
  events('event_type (1 of 20)', () => ({ eventType: 'order.type-7' })),
  events('label (1 of 10)', () => ({ labels: { region: 'r3' } })),
  events('label of none', () => ({ labels: { region: 'nowhere' } })),
  events('state=failed', () => ({ state: 'failed' })),
  events('state=scheduled (none)', () => ({ state: 'scheduled' })),
  events('webhook_id', ({ endpointId }) => ({ endpointIds: [endpointId] })),
  events('client_event_id', ({ clientEventId }) => ({ clientEventId: clientEventId ?? 'order-0' })),
  list('/events (operator)', (sql) => searchEvents(sql, null, {}, first())),
];

const LOOK_UPS: readonly Case[] = [
  lookUp('/events/:id', (sql, { tenantId, eventId }) => findWholeEvent(sql, tenantId, eventId)),
  lookUp('/deliveries/:id', async (sql, { tenantId, deliveryId }) => [
    await findDelivery(sql, tenantId, deliveryId),
    await listAttempts(sql, tenantId, deliveryId),
  ]),
  lookUp('/attempts/:id', (sql, { tenantId, attemptId }) => findAttempt(sql, tenantId, attemptId)),
  lookUp('/attempts/:id (operator)', (sql, { attemptId }) => findAttempt(sql, null, attemptId)),
];

const DEAD_LETTERS: readonly Case[] = [
  list('/dlq?limit=10', async (sql, { tenantId }) => [
    await listDeadLetters(sql, tenantId, { limit: 10, offset: 0 }),
    await countDeadLetters(sql, tenantId),
  ]),
];

function analytics(
  name: string,
  query: (drawn: Drawn) => Partial<RollupQuery> & Pick<RollupQuery, 'grain'>,
  days: number,
): Case {
  return {
    name: `GET /metrics/deliveries?${name}`,
    kind: 'analytics',
    ask(sql, drawn) {
      const toMs = Date.now();
      const common = {
        tenantId: null,
        endpointIds: null,
        fromMs: toMs - days * DAY_MS,
        toMs,
        byTime: true,
        by: [],
      };
      return queryRollups(sql, { ...common, limit: 1_001, ...query(drawn) });
    },
  };
}

const ANALYTICS: readonly Case[] = [
  analytics('a tenant, a day by minute', ({ tenantId }) => ({ grain: 'minute', tenantId }), 1),
  analytics(
    'a tenant, a week by hour and status class',
    ({ tenantId }) => ({ grain: 'hour', tenantId, by: ['status_class'] }),
    7,
  ),
  analytics(
    'a tenant, 30 days by webhook',
    ({ tenantId }) => ({ grain: 'day', tenantId, byTime: false, by: ['endpoint'] }),
    30,
  ),
  analytics(
    'a webhook, a week by hour',
    ({ tenantId, endpointId }) => ({ grain: 'hour', tenantId, endpointIds: [endpointId] }),
    7,
  ),
  analytics('the product, 30 days by day', () => ({ grain: 'day' }), 30),
  analytics('the product, a week by hour and event type', () => ({ grain: 'hour', by: ['event_type'] }), 7),
  analytics('the product, 7 days by tenant', () => ({ grain: 'day', byTime: false, by: ['tenant'] }), 7),
  ...[1 / 24, 1, 7].map(
    (days): Case => ({
      name: `GET /webhooks/:id/stats, ${days < 1 ? '1 h' : `${days} d`}`,
      kind: 'analytics',
      ask: (sql, { tenantId, endpointId }) =>
        rollupStats(sql, tenantId, endpointId, { windowMs: days * DAY_MS, nowMs: Date.now() }),
    }),
  ),
];

export const CASES: readonly Case[] = [
  ...DELIVERIES,
  ...ATTEMPTS,
  ...EVENTS,
  ...DEAD_LETTERS,
  ...LOOK_UPS,
  ...ANALYTICS,
];
