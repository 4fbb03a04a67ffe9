import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type {
  Candidate,
  HandshakeMethod,
  HandshakeResult,
} from '../src/resources/webhooks/verification/handshake.ts';
import { type ApiAnswer, startApi, type TestApi } from './api.ts';

let api: TestApi;
let tenantId: string;
let key: string;
let tenants = 0;
let asked: [Candidate, HandshakeMethod][];
let answer: HandshakeResult;
let meanwhile: () => Promise<void>;

beforeAll(async () => {
  const perform = async (candidate: Candidate, method: HandshakeMethod): Promise<HandshakeResult> => {
    asked.push([candidate, method]);
    await meanwhile();
    return answer;
  };
  api = await startApi((parts) => ({ ...parts, verification: { mustAgree: true, handshakes: { perform } } }));
});
afterAll(() => api.close());
beforeEach(async () => {
  ({ tenantId, key } = await api.createTenant(`tenant-${++tenants}`));
  asked = [];
  answer = { kind: 'agreed', maxPerSec: null };
  meanwhile = async () => undefined;
});

const call = (method: string, path: string, body?: unknown) =>
  api.call(method, `/v1/webhooks${path}`, body, { key });
const create = async (fields: object = {}): Promise<string> =>
  (await call('POST', '', { url: 'https://hooks.example/a', ...fields })).body.webhook_id;
const stateOf = ({ status, body }: ApiAnswer) => [status, body.state, body.state_reason];
const post = () =>
  api.call('POST', '/v1/events', { tenant_id: tenantId, type: 'order.created', payload: {} }, { key });

test('a new webhook matches nothing until its receiver has agreed', async () => {
  const made = await call('POST', '', { url: 'https://hooks.example/a' });
  expect(stateOf(made)).toEqual([201, 'paused', 'unverified']);
  expect((await post()).body.delivery_ids).toEqual([]);

  const id = made.body.webhook_id;
  answer = { kind: 'declined', detail: 'it answered 404' };
  const refused = await call('POST', `/${id}/verify`);
  expect([refused.status, refused.body.code, refused.body.detail]).toEqual([
    422,
    'verification_failed',
    'it answered 404',
  ]);
  expect((await post()).body.delivery_ids).toEqual([]);

  answer = { kind: 'agreed', maxPerSec: null };
  const agreed = await call('POST', `/${id}/verify`);
  expect(stateOf(agreed)).toEqual([200, 'active', null]);
  expect(agreed.body.verified_at).toMatch(/^\d{4}-/);
  expect((await post()).body.delivery_ids).toHaveLength(1);
  const audited = await api.database
    .sql`select action from audit_log where subject = ${id} order by audit_id`;
  expect(audited.map(({ action }) => action)).toEqual([
    'endpoint.created',
    'endpoint.paused',
    'endpoint.verified',
    'endpoint.resumed',
  ]);
});

test('it is asked as its deliveries are made: signed, with its own headers and credentials', async () => {
  const id = await create({
    headers: { 'x-team': 'billing' },
    auth: { type: 'bearer', token: 'of-the-receiver' },
    signatures: ['v1', 'v1a'],
  });
  await call('POST', `/${id}/verify`, { method: 'cloudevents' });
  const [[candidate, method] = []] = asked;
  expect([method, candidate?.url]).toEqual(['cloudevents', 'https://hooks.example/a']);
  expect(candidate?.headers).toEqual([
    ['x-team', 'billing'],
    ['authorization', 'Bearer of-the-receiver'],
  ]);
  const signed = candidate!.sign(Buffer.from('x'));
  expect(signed[signed.indexOf('webhook-signature') + 1]).toMatch(/^v1,\S+ v1a,\S+$/);
});

test('another URL has to agree anew, and the rest of a change does not', async () => {
  const id = await create();
  await call('POST', `/${id}/verify`);
  expect(stateOf(await call('PATCH', `/${id}`, { description: 'Orders' }))).toEqual([200, 'active', null]);
  const moved = await call('PATCH', `/${id}`, { url: 'https://hooks.example/b' });
  expect([...stateOf(moved), moved.body.verified_at]).toEqual([200, 'paused', 'unverified', null]);
  const back = await call('PATCH', `/${id}`, { url: 'https://hooks.example/a', paused: false });
  expect(stateOf(back)).toEqual([200, 'active', null]);
});

test('nothing else lets events through to a URL that has not agreed', async () => {
  const unverified = (result: ApiAnswer) =>
    expect([result.status, result.body.code]).toEqual([409, 'webhook_unverified']);
  const id = await create();
  unverified(await call('POST', `/${id}/resume`));
  unverified(await call('PATCH', `/${id}`, { paused: false }));
  await call('POST', `/${id}/pause`, { mode: 'hold' });
  unverified(await call('POST', `/${id}/resume`));
  await call('PATCH', `/${id}`, { enabled: false });
  unverified(await call('PATCH', `/${id}`, { enabled: true }));
  // One that a person stopped stays so: the receiver's agreement lets it be started again.
  expect(stateOf(await call('POST', `/${id}/verify`))).toEqual([200, 'disabled', 'person']);
  expect(stateOf(await call('PATCH', `/${id}`, { enabled: true }))).toEqual([200, 'active', null]);
});

test('the rate that a receiver grants holds where the webhook has no lower one', async () => {
  const [open, limited] = [await create(), await create({ max_per_sec: 2 })];
  answer = { kind: 'agreed', maxPerSec: 5 };
  expect((await call('POST', `/${open}/verify`)).body.max_per_sec).toBe(5);
  expect((await call('POST', `/${limited}/verify`)).body.max_per_sec).toBe(2);
});

test('an agreement is for the URL that was asked, not for one that it was changed to meanwhile', async () => {
  const id = await create();
  meanwhile = async () => void (await call('PATCH', `/${id}`, { url: 'https://hooks.example/b' }));
  const asked = await call('POST', `/${id}/verify`);
  expect([asked.status, asked.body.code]).toEqual([412, 'precondition_failed']);
  expect(stateOf(await call('GET', `/${id}`))).toEqual([200, 'paused', 'unverified']);
});

test('too many that are being asked is an answer that says when to try again', async () => {
  const id = await create();
  answer = { kind: 'busy' };
  const busy = await call('POST', `/${id}/verify`);
  expect([busy.status, busy.body.code, busy.headers['retry-after']]).toEqual([503, 'overloaded', '5']);
});

test("the operator's own webhooks are not asked", async () => {
  const made = await api.call('POST', '/v1/system/webhooks', { url: 'https://ops.example/all' });
  expect(stateOf(made)).toEqual([201, 'active', null]);
});
