import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { createAddressPolicy, createGuardedAgent } from '@posthorn/egress';
import { createLogger, systemClock } from '@posthorn/runtime';
import type { OAuth2ClientCredentials } from '@posthorn/tenant-config';
import { createAuthority } from '@posthorn/testkit';
import { afterEach, expect, test } from 'vitest';
import { createAuthorisedSend } from '../src/attempt/authorise.ts';
import { createRequestBuilder } from '../src/attempt/build-request.ts';
import { createSendRequest } from '../src/attempt/send.ts';
import { createTokens } from '../src/attempt/tokens.ts';
import { makeEndpoint, makeSlot, NOW } from './factories.ts';

/** Real sockets from here to a receiver that asks for a certificate, and to the server of its tokens. */
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const authority = createAuthority();
const server = authority.issue({ name: 'receiver', addresses: ['127.0.0.1'] });
const client = authority.issue({ name: 'posthorn' });
const TLS = {
  ca: authority.certificate,
  client_certificate: client.certificate,
  client_key: client.key,
};
const SECRET = 'canary-of-a-client-secret';

interface Seen {
  readonly path: string;
  readonly client: unknown;
  readonly authorization: string | undefined;
  readonly body: string;
}

/** Takes the last token that it has given; answers with what it was sent. */
async function startReceiver() {
  const seen: Seen[] = [];
  const state = {
    token: 0,
    tokenStatus: 200,
    accepts: (authorization: string | undefined) => authorization !== '',
  };
  const options = { cert: server.certificate, key: server.key, ca: authority.certificate, requestCert: true };
  const listener = createServer(options, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => void chunks.push(chunk));
    request.on('end', () => {
      const { authorization } = request.headers;
      const subject = (request.socket as TLSSocket).getPeerCertificate().subject;
      const body = Buffer.concat(chunks).toString();
      seen.push({ path: request.url!, client: subject?.CN, authorization, body });
      if (request.url === '/token') {
        response.statusCode = state.tokenStatus;
        response.end(JSON.stringify({ access_token: `canary-token-${++state.token}`, expires_in: 3_600 }));
        return;
      }
      response.statusCode = state.accepts(authorization) ? 200 : 401;
      response.setHeader('x-echo', authorization ?? '');
      response.end(JSON.stringify({ authorization, body }));
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  closing.push(async () => {
    listener.closeAllConnections();
    await new Promise((resolve) => listener.close(resolve));
  });
  const url = (path: string) => `https://127.0.0.1:${(listener.address() as AddressInfo).port}${path}`;
  return { seen, state, url };
}

async function setup(over: Partial<OAuth2ClientCredentials> = {}, allowedCidrs = ['127.0.0.0/8']) {
  const receiver = await startReceiver();
  const lines: string[] = [];
  const log = createLogger('worker', 'info', { write: (line: string) => void lines.push(line) });
  const agent = createGuardedAgent({ policy: createAddressPolicy({ allowedCidrs }) });
  closing.push(() => agent.close());
  const sendRequest = createSendRequest(agent, log);
  const tokens = createTokens({
    ask: sendRequest,
    clock: systemClock,
    log,
    maxTokens: 10,
    onAsked: () => {},
  });
  const send = createAuthorisedSend(sendRequest, tokens, systemClock);
  const builder = createRequestBuilder({
    userAgent: 'Posthorn/test',
    headerPrefix: 'webhook',
    attemptTimeoutMs: 30_000,
    maxResponseBytes: 16_384,
    sendTraceparent: false,
  });
  const auth = {
    type: 'oauth2_client_credentials',
    token_url: receiver.url('/token'),
    client_id: 'posthorn',
    client_secret: SECRET,
    ...over,
  } as const;
  const endpoint = makeEndpoint({ url: receiver.url('/hook'), auth, tls: TLS });
  const facts = { deliveryId: 'd', nowMs: NOW, traceparent: '', mayWrite: () => true };
  const attempt = () => send(builder.build(makeSlot().slot, endpoint, facts));
  return { receiver, lines, tokens, attempt };
}

test('a token is fetched and sent over connections that show the certificate of the client', async () => {
  const { receiver, attempt } = await setup({ scope: 'hooks.write' });
  expect(await attempt()).toMatchObject({ kind: 'response', status: 200 });
  expect(await attempt()).toMatchObject({ kind: 'response', status: 200 });
  expect(receiver.seen).toMatchObject([
    { path: '/token', client: 'posthorn', body: 'grant_type=client_credentials&scope=hooks.write' },
    { path: '/hook', client: 'posthorn', authorization: 'Bearer canary-token-1' },
    { path: '/hook', client: 'posthorn', authorization: 'Bearer canary-token-1' },
  ]);
  const [scheme, credentials] = receiver.seen[0]!.authorization!.split(' ');
  expect([scheme, Buffer.from(credentials!, 'base64').toString()]).toEqual(['Basic', `posthorn:${SECRET}`]);
});

test('a receiver that has forgotten the token gets the same request with a new one', async () => {
  const { receiver, attempt } = await setup();
  await attempt();
  receiver.state.accepts = (authorization) => authorization === 'Bearer canary-token-2';
  expect(await attempt()).toMatchObject({ status: 200 });
  const [, , refused, token, taken] = receiver.seen;
  expect(receiver.seen).toHaveLength(5);
  expect([refused!.authorization, token!.path, taken!.authorization]).toEqual([
    'Bearer canary-token-1',
    '/token',
    'Bearer canary-token-2',
  ]);
  expect(taken!.body).toBe(refused!.body);
});

test('an answer that repeats the token has none of it when it is recorded', async () => {
  const { attempt, lines } = await setup();
  const sent = await attempt();
  if (sent.kind !== 'response') throw new Error(sent.kind);
  expect(JSON.parse(sent.body.toString()).authorization).toBe('Bearer [redacted]');
  expect(sent.headers['x-echo']).toBe('Bearer [redacted]');
  expect(lines).toEqual([]);
});

test('a token endpoint that fails costs one request, and its attempts say what it was', async () => {
  const { receiver, attempt, lines } = await setup();
  receiver.state.tokenStatus = 500;
  for (let i = 0; i < 5; i++) {
    expect(await attempt()).toMatchObject({ kind: 'unauthorised', detail: 'token endpoint: HTTP 500' });
  }
  expect(receiver.seen.map(({ path }) => path)).toEqual(['/token']);
  expect(lines.join()).not.toContain('canary');
});

test('a token URL that policy denies is not asked, and reads like a refused connection', async () => {
  const { receiver, attempt, lines } = await setup({}, []);
  expect(await attempt()).toMatchObject({
    kind: 'unauthorised',
    detail: 'token endpoint: connection refused',
  });
  expect(receiver.seen).toEqual([]);
  expect(lines.some((line) => line.includes('address blocked'))).toBe(true);
});
