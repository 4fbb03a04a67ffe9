import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAddressPolicy, createGuardedAgent } from '@posthorn/egress';
import { generateSecret, verify } from '@posthorn/signing';
import type { EndpointConfig } from '@posthorn/tenant-config';
import { expect, onTestFinished, test } from 'vitest';
import { createHandshakes } from '../src/resources/webhooks/verification/handshake.ts';
import { toCandidate } from '../src/resources/webhooks/verification/to-candidate.ts';

const SECRET = generateSecret();
const NOW_MS = 1_800_000_000_000;

async function setup(answer: (request: IncomingMessage, body: string, response: ServerResponse) => void) {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    answer(request, Buffer.concat(chunks).toString(), response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const agent = createGuardedAgent({ policy: createAddressPolicy({ allowedCidrs: ['127.0.0.0/8'] }) });
  onTestFinished(async () => {
    await agent.close();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const endpoint = {
    endpointId: 'ep_1',
    tenantId: 'customer-1',
    url: `http://127.0.0.1:${port}/in`,
    headers: [],
    secrets: [{ text: SECRET, expiresAtMs: null }],
  } as unknown as EndpointConfig;
  const options = { headerPrefix: 'webhook', nowMs: NOW_MS, messageId: 'message-1' };
  const made = toCandidate(endpoint, options);
  if (made.kind === 'declined') throw new Error(made.detail);
  const { candidate } = made;
  const handshakes = createHandshakes({ agent, origin: 'hooks.example', makeChallenge: () => 'a-challenge' });
  return { candidate, handshakes };
}

test('a receiver verifies the signature and repeats the challenge', async () => {
  const seen: unknown[] = [];
  const { candidate, handshakes } = await setup((request, body, response) => {
    seen.push(verify(request.headers, body, [SECRET], { nowSeconds: NOW_MS / 1_000 }));
    response.end(JSON.stringify({ challenge: JSON.parse(body).challenge }));
  });
  expect(await handshakes.perform(candidate, 'challenge')).toEqual({ kind: 'agreed', maxPerSec: null });
  expect(seen).toEqual([{ ok: true }]);
});

test('a receiver answers the OPTIONS request of CloudEvents, which has no body', async () => {
  const seen: unknown[] = [];
  const { candidate, handshakes } = await setup((request, body, response) => {
    seen.push([request.method, request.headers['webhook-request-origin'], body]);
    response.writeHead(200, { 'WebHook-Allowed-Origin': '*', 'WebHook-Allowed-Rate': '120' }).end();
  });
  expect(await handshakes.perform(candidate, 'cloudevents')).toEqual({ kind: 'agreed', maxPerSec: 2 });
  expect(seen).toEqual([['OPTIONS', 'hooks.example', '']]);
});

test('a receiver that redirects is not followed', async () => {
  let asked = 0;
  const { candidate, handshakes } = await setup((_request, _body, response) => {
    asked += 1;
    response.writeHead(307, { location: '/elsewhere' }).end();
  });
  expect(await handshakes.perform(candidate, 'challenge')).toEqual({
    kind: 'declined',
    detail: 'it answered 307',
  });
  expect(asked).toBe(1);
});
