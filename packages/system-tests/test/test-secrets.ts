import { randomBytes } from 'node:crypto';
import {
  createAuthority,
  dumpDatabase,
  type Identity,
  type Receiver,
  startReceiver,
  waitUntil,
} from '@posthorn/testkit';
import { request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type Accepted,
  type Answer,
  type Api,
  dumpTopics,
  type Endpoint,
  findSecrets,
  SERVICES,
  type Secrets,
  type System,
  type Tenant,
} from '../src/index.ts';

export interface Observed {
  readonly system: System;
  /** Where the services send their spans. */
  readonly collector: Receiver;
  readonly tiers: string;
  /** What the services were started with. */
  readonly secrets: Secrets;
}

const canary = (name: string): string => `canary-${name}-${randomBytes(12).toString('hex')}`;

/** The secrets of customers and of the installation, in use: where they are seen, and where they may not be. */
export function testSecrets(observed: () => Observed): void {
  let receiver: Receiver;
  beforeAll(async () => {
    receiver = await startReceiver();
  });
  afterAll(() => receiver?.close());

  test('a secret goes to its receiver and is nowhere else: in no row, record, log line, span, metric or answer', async () => {
    const { system, secrets: ofInstallation } = observed();
    const given = drawSecrets();
    answer(receiver, given);
    const tenant = await system.api.createTenant();
    const portalToken = await issueToken(system, tenant.key);
    const asked = askAs(system, tenant.key);
    const made = await makeWebhooks(asked, given, receiver);
    await askWhatIsRefused(asked, given, receiver);
    const event = await sendEvent(observed(), asked, tenant);

    const places = await lookEverywhere(observed(), asked);
    // It was looked where they would have been seen: the receiver got them, and what is no secret is in each place.
    const sent = receiver.arrivals().map(({ headers, body }) => `${JSON.stringify(headers)} ${body}`);
    const { header, token, apiKey, accessToken, password, clientSecret } = given;
    const used = { header, token, apiKey, accessToken, password, clientSecret };
    const seen = new Set(findSecrets(sent.join('\n'), used).map((found) => found.split(' ')[0]));
    expect([...seen].sort()).toEqual(Object.keys(used).sort());
    for (const place of ['database', 'topics'] as const)
      expect(findSecrets(places[place], { marker: event.marker })).not.toEqual([]);
    for (const place of ['logs', 'answers', 'topics'] as const)
      expect(places[place]).toContain(event.eventId);
    expect(places.spans).toContain(event.traceId);
    for (const name of SERVICES) expect(places.metrics).toContain(`service="${name}"`);

    const secrets = { ...given, ...made, ...ofInstallation, tenantKey: tenant.key, portalToken };
    for (const [place, text] of Object.entries(places))
      expect([place, findSecrets(text, secrets)]).toEqual([place, []]);
  });
}

/** As receivers do: some send back what they were shown, some fail after it. */
function answer(receiver: Receiver, { accessToken }: Given): void {
  const token = JSON.stringify({ access_token: accessToken, token_type: 'Bearer' });
  receiver.answer('/token', { headers: { 'content-type': 'application/json' }, body: token });
  receiver.answer('/no-token', { status: 401, body: '{"error":"invalid_client"}' });
  receiver.answer('/cut', 'reset');
  for (const path of ['/plain', '/failing', '/basic', '/oauth'])
    receiver.answer(path, ({ headers }) => ({ status: 503, body: JSON.stringify(headers) }));
}

/** Calls of one caller, and what they were answered. */
interface Asked {
  readonly answers: unknown[];
  call<T = Record<string, unknown>>(method: string, path: string, options?: CallOptions): Promise<Answer<T>>;
}
type CallOptions = Parameters<Api['call']>[2];

function askAs(system: System, key: string): Asked {
  const answers: unknown[] = [];
  return {
    answers,
    async call<T>(method: string, path: string, options: CallOptions = {}) {
      const answer = await system.api.call<T>(method, path, { key, ...options });
      answers.push(answer.body);
      return answer;
    },
  };
}

/** Made, turned, changed and looked at. Returns what the API shows once of them. */
async function makeWebhooks(
  { call }: Asked,
  given: Given,
  receiver: Receiver,
): Promise<Record<string, string>> {
  const client = createAuthority().issue({ name: 'client' });
  // A whole line: what stands around a key is alike for all.
  const shown: Record<string, string> = { clientKey: client.key.split('\n')[1]! };
  for (const [name, fields] of Object.entries(webhooksWith(given, client, receiver))) {
    const body = { event_types: ['*'], retry_schedule: 'none', ...fields };
    const made = await call<Endpoint>('POST', '/v1/webhooks', { body });
    expect(made.status, JSON.stringify(made.body)).toBe(201);
    const path = `/v1/webhooks/${made.body.webhook_id}`;
    const turned = await call<Endpoint>('POST', `${path}/secret/rotate`);
    shown[`secret of ${name}`] = takeSecret(made);
    shown[`rotated secret of ${name}`] = takeSecret(turned);
    await call('PATCH', path, { body: { description: 'changed' } });
    await call('GET', path);
  }
  return shown;
}

/** What stands before it is alike for all. The answer that shows it is not among those that may not. */
function takeSecret({ body }: Answer<Endpoint>): string {
  const { secret } = body;
  (body as { secret: string }).secret = '(shown once)';
  return secret.replace(/^whsec_/, '');
}

async function askWhatIsRefused({ call }: Asked, given: Given, receiver: Receiver): Promise<void> {
  for (const fields of refusedWith(given, receiver)) {
    const refused = await call('POST', '/v1/webhooks', { body: { event_types: ['*'], ...fields } });
    expect(refused.status).toBe(400);
  }
  expect((await call('GET', '/v1/webhooks', { key: given.strangersKey })).status).toBe(401);
}

interface Sent {
  readonly eventId: string;
  readonly traceId: string;
  /** Of the payload, which is no secret. */
  readonly marker: string;
}

/** To all webhooks, until everything that comes of it was recorded; then once more. */
async function sendEvent({ collector }: Observed, asked: Asked, { tenantId }: Tenant): Promise<Sent> {
  const marker = canary('marker');
  const traceId = randomBytes(16).toString('hex');
  const accepted = await asked.call<Required<Accepted>>('POST', '/v1/events', {
    body: { tenant_id: tenantId, type: 'order.created', payload: { marker } },
    headers: { traceparent: `00-${traceId}-${'1'.repeat(16)}-01` },
  });
  const { event_id: eventId, delivery_ids: deliveries } = accepted.body;
  for (const id of deliveries) await untilSettled(asked, id);
  await waitUntil(async () => (await asked.call('GET', `/v1/events/${eventId}`)).status === 200, {
    what: 'the event to be recorded',
  });
  await untilTraced(collector, traceId, deliveries.length);
  for (const path of ['/v1/webhooks', '/v1/dlq', '/v1/audit-log'])
    expect((await asked.call('GET', `${path}?tenant_id=${tenantId}`)).status).toBe(200);
  expect((await asked.call('POST', `/v1/events/${eventId}/replay`)).status).toBe(202);
  return { eventId, traceId, marker };
}

async function lookEverywhere({ system, collector, tiers }: Observed, { answers }: Asked) {
  const lines = SERVICES.flatMap((name) => system.service(name).lines.map(({ raw }) => raw));
  const spans = collector.arrivals('/v1/traces').map(({ body }) => body.toString());
  return {
    database: await dumpDatabase(system.databaseUrl),
    topics: await dumpTopics(system.topicPrefix, tiers),
    logs: lines.join('\n'),
    spans: spans.join('\n'),
    metrics: (await Promise.all(SERVICES.map((name) => metricsOf(system, name)))).join('\n'),
    answers: JSON.stringify(answers),
  };
}

function drawSecrets() {
  return {
    signing: canary('signing'),
    header: canary('header'),
    token: canary('bearer'),
    apiKey: canary('api-key'),
    password: canary('password'),
    clientSecret: canary('client-secret'),
    lostClientSecret: canary('lost-client-secret'),
    accessToken: canary('access-token'),
    urlPassword: canary('url-password'),
    refused: canary('refused'),
    strangersKey: `phk_tn_${canary('key')}`,
  };
}
type Given = ReturnType<typeof drawSecrets>;

/** Each way to be authenticated, and each way to fail with it. */
function webhooksWith(
  given: Given,
  { certificate, key }: Identity,
  receiver: Receiver,
): Record<string, Record<string, unknown>> {
  const oauth = (path: string, client_secret: string) => ({
    type: 'oauth2_client_credentials',
    token_url: receiver.url(path),
    client_id: 'posthorn',
    client_secret,
  });
  return {
    plain: { url: receiver.url('/plain'), secret: given.signing, headers: { 'X-Token': given.header } },
    bearer: { url: receiver.url('/failing'), auth: { type: 'bearer', token: given.token } },
    'api key': {
      url: receiver.url('/cut'),
      auth: { type: 'api_key', header: 'X-Api-Key', value: given.apiKey },
    },
    basic: {
      url: receiver.url('/basic'),
      auth: { type: 'basic', username: 'zoe', password: given.password },
    },
    oauth: { url: receiver.url('/oauth'), auth: oauth('/token', given.clientSecret) },
    'oauth refused': { url: receiver.url('/oauth-2'), auth: oauth('/no-token', given.lostClientSecret) },
    tls: {
      url: receiver.url('/tls').replace('http:', 'https:'),
      tls: { client_certificate: certificate, client_key: key },
    },
  };
}

/** Requests that are refused for a fault right where a secret is. */
const refusedWith = (given: Given, receiver: Receiver): Record<string, unknown>[] => [
  { url: `https://zoe:${given.urlPassword}@hooks.example/` },
  { url: receiver.url('/'), headers: { 'x-a': `${given.refused}\n` } },
  { url: receiver.url('/'), auth: { type: 'basic', username: 'a:b', password: given.refused } },
  { url: receiver.url('/'), auth: { type: 'bearer', token: `${given.refused} ü` } },
  { url: receiver.url('/'), tls: { client_key: given.refused } },
  { url: receiver.url('/'), secret: `whsec_${given.refused}` },
];

async function issueToken({ api }: System, key: string): Promise<string> {
  const body = { scopes: ['read'], ttl_seconds: 600 };
  const { body: made } = await api.call<{ token: string }>('POST', '/v1/portal-tokens', { body, key });
  expect((await api.call('GET', '/v1/webhooks', { key: made.token })).status).toBe(200);
  return made.token;
}

interface Recorded {
  readonly state: string;
  readonly attempts?: readonly { readonly attempt_id: string }[];
}

/** Until nothing more comes of it; then its attempts are looked at. */
async function untilSettled({ call }: Asked, deliveryId: string): Promise<void> {
  const { body } = await waitUntil(
    async () => {
      const answer = await call<Recorded>('GET', `/v1/deliveries/${deliveryId}`);
      return ['success', 'failed'].includes(answer.body.state) && answer;
    },
    { what: `delivery ${deliveryId} to be settled` },
  );
  for (const { attempt_id } of body.attempts ?? [])
    expect((await call('GET', `/v1/attempts/${attempt_id}`)).status).toBe(200);
}

interface Span {
  readonly traceId: string;
  readonly name: string;
}
interface Exported {
  readonly resourceSpans: readonly { readonly scopeSpans: readonly { readonly spans: readonly Span[] }[] }[];
}

/** Until as many attempts have a span of the trace. */
async function untilTraced(collector: Receiver, traceId: string, attempts: number): Promise<void> {
  const spans = (): Span[] =>
    collector.arrivals('/v1/traces').flatMap(({ body }) => {
      const { resourceSpans }: Exported = JSON.parse(body.toString());
      return resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
    });
  const isAttempt = (span: Span): boolean => span.traceId === traceId && span.name === 'attempt delivery';
  await collector.waitFor(() => spans().filter(isAttempt).length >= attempts, {
    what: 'the spans of the attempts',
    timeoutMs: 30_000,
  });
}

async function metricsOf(system: System, name: (typeof SERVICES)[number]): Promise<string> {
  const isIt = ({ msg }: { msg?: string }): boolean => msg === 'admin server listening';
  const { port } = await system
    .service(name)
    .waitForLine(isIt, { what: `${name} to say where its metrics are` });
  const { body } = await request(`http://127.0.0.1:${port}/metrics`);
  return body.text();
}
