import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, OPERATOR_KEY, setup } from '../../test/setup.ts';

let bundle: Bundle;
beforeAll(async () => {
  bundle = await setup({});
  bundle.addTenant('acme');
});
afterAll(() => bundle.app.close());

const ask = (method: 'GET' | 'POST', url: string, headers: Record<string, string>) =>
  bundle.app.inject({
    method,
    url,
    headers: { authorization: `Bearer ${OPERATOR_KEY}`, 'content-type': 'application/json', ...headers },
    ...(method === 'POST' ? { payload: { tenant_id: 'acme', type: 'a.b', payload: {} } } : {}),
  });

describe('a request that this system has sent itself', () => {
  it.each([
    'posthorn',
    'Posthorn',
    'cloudflare, posthorn',
    'fastly;v=1 , POSTHORN;x="a b"',
    'posthorn, posthorn',
  ])('is refused with 508 when its cdn-loop reads %j', async (value) => {
    const before = bundle.sent.length;
    const answer = await ask('POST', '/v1/events', { 'cdn-loop': value });
    expect([answer.statusCode, answer.json().code]).toEqual([508, 'loop_detected']);
    expect(bundle.sent).toHaveLength(before);
  });

  it.each(['/health', '/v1/webhooks', '/nowhere'])(
    'is refused at %s as well, with or without a key',
    async (url) => {
      expect((await ask('GET', url, { 'cdn-loop': 'posthorn' })).statusCode).toBe(508);
      expect((await ask('GET', url, { 'cdn-loop': 'posthorn', authorization: '' })).statusCode).toBe(508);
    },
  );
});

it.each(['cloudflare', 'posthorn2', 'my-posthorn', 'x;posthorn', '', ','])(
  'a request that came by others alone (%j) is taken',
  async (value) => {
    expect((await ask('POST', '/v1/events', { 'cdn-loop': value })).statusCode).toBe(202);
  },
);
