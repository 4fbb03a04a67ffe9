import type tls from 'node:tls';
import { type Authority, createAuthority, type Subject } from '@posthorn/testkit';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createTlsIdentity, type TlsIdentity, type TlsIdentityParts } from '../src/index.ts';
import { OK, respond, startRawReceiver } from './raw-receiver.ts';
import { setupAgent } from './setup-agent.ts';

const lookup = async () => [{ address: '127.0.0.1', ttlSeconds: 60 }];
const [publicly, privately] = [createAuthority(), createAuthority()];
const extraAuthorities = [publicly.certificate];
const ca = privately.certificate;

function issuedBy(authority: Authority, subject: Subject) {
  const { certificate: cert, key } = authority.issue(subject);
  return { cert, key };
}

const server = { name: 'receiver', names: ['hooks.example'], addresses: ['127.0.0.1'] };
const client = issuedBy(privately, { name: 'posthorn client' });
const publicTls = issuedBy(publicly, server);
const privateTls = issuedBy(privately, server);
const asksForCertificate: tls.TlsOptions = { ...privateTls, ca, requestCert: true, rejectUnauthorized: true };

function identity(parts: TlsIdentityParts): TlsIdentity {
  const check = createTlsIdentity(parts);
  if (!check.ok) throw new Error(check.detail);
  return check.identity;
}

/** A receiver that notes which client certificate each connection came with. */
async function startNamingReceiver(options: tls.TlsOptions) {
  const clients: (string | undefined)[] = [];
  const receiver = await startRawReceiver({
    tls: options,
    onRequest: respond(OK),
    onConnection: (socket) => {
      const { subject } = (socket as tls.TLSSocket).getPeerCertificate();
      clients.push(subject?.CN as string | undefined);
    },
  });
  return { receiver, clients, url: `https://hooks.example:${receiver.port}/` };
}

describe('with authorities of its own', () => {
  test('a receiver is trusted by them alone', async () => {
    await using ours = await startRawReceiver({ tls: privateTls, onRequest: respond(OK) });
    await using publics = await startRawReceiver({ tls: publicTls, onRequest: respond(OK) });
    await using setup = setupAgent({ extraAuthorities, lookup });
    const own = { tls: identity({ ca }) };
    const toOurs = `https://hooks.example:${ours.port}/`;
    const toPublic = `https://hooks.example:${publics.port}/`;
    expect(await setup.send(toOurs, own)).toMatchObject({ status: 200 });
    expect(await setup.send(toOurs)).toMatchObject({ failure: 'tls' });
    expect(await setup.send(toPublic)).toMatchObject({ status: 200 });
    expect(await setup.send(toPublic, own)).toMatchObject({ failure: 'tls' });
  });

  test('its name is checked all the same', async () => {
    await using receiver = await startRawReceiver({ tls: privateTls, onRequest: respond(OK) });
    await using setup = setupAgent({ lookup });
    const other = await setup.send(`https://other.example:${receiver.port}/`, { tls: identity({ ca }) });
    expect(other).toMatchObject({ failure: 'tls', detail: 'the certificate is for another host' });
    expect(receiver.requests).toEqual([]);
  });
});

test.each([
  ['a.hooks.example', 200],
  ['A.Hooks.Example', 200],
  ['hooks.example', 'tls'],
  ['a.b.hooks.example', 'tls'],
  ['ahooks.example', 'tls'],
  ['127.0.0.1', 'tls'],
])(
  'a certificate for *.hooks.example and for an address among its names: %s is %s',
  async (host, expected) => {
    const names = ['*.hooks.example', '127.0.0.1'];
    const wildcard = issuedBy(publicly, { name: 'hooks.example', names });
    await using receiver = await startRawReceiver({ tls: wildcard, onRequest: respond(OK) });
    await using setup = setupAgent({ extraAuthorities, lookup });
    const sent = await setup.send(`https://${host}:${receiver.port}/`);
    expect(sent.kind === 'response' ? sent.status : sent.kind === 'failure' && sent.failure).toBe(expected);
  },
);

describe('a client certificate', () => {
  test('is shown to a receiver that asks for one', async () => {
    const { receiver, clients, url } = await startNamingReceiver(asksForCertificate);
    await using _ = receiver;
    await using setup = setupAgent({ lookup });
    expect(await setup.send(url, { tls: identity({ ca, ...client }) })).toMatchObject({ status: 200 });
    expect(clients).toEqual(['posthorn client']);
  });

  test('that is missing where the handshake asks for one fails it', async () => {
    const { receiver, url } = await startNamingReceiver({ ...asksForCertificate, maxVersion: 'TLSv1.2' });
    await using _ = receiver;
    await using setup = setupAgent({ lookup });
    expect(await setup.send(url, { tls: identity({ ca }) })).toMatchObject({
      kind: 'failure',
      failure: 'tls',
      detail: 'the receiver refuses the handshake',
      sentAnyBytes: false,
    });
    expect(receiver.requests).toEqual([]);
  });

  test('that is missing, or unknown, is noticed after the handshake of TLS 1.3: no request comes through', async () => {
    const { receiver, url } = await startNamingReceiver({ ...asksForCertificate, minVersion: 'TLSv1.3' });
    const { receiver: other, url: otherUrl } = await startNamingReceiver({
      ...asksForCertificate,
      ca: publicly.certificate,
      minVersion: 'TLSv1.3',
    });
    await using setup = setupAgent({ lookup });
    await using _ = receiver;
    await using __ = other;
    // Its alert and the reset that follows race for our side.
    const failed = { kind: 'failure', failure: expect.stringMatching(/^(tls|connect)$/) };
    expect(await setup.send(url, { tls: identity({ ca }) })).toMatchObject(failed);
    expect(await setup.send(otherUrl, { tls: identity({ ca, ...client }) })).toMatchObject(failed);
    expect([...receiver.requests, ...other.requests]).toEqual([]);
  });

  test('opens connections that no other identity uses, and uses none of theirs', async () => {
    const { receiver, clients, url } = await startNamingReceiver({
      ...asksForCertificate,
      rejectUnauthorized: false,
    });
    await using _ = receiver;
    await using setup = setupAgent({ lookup, extraAuthorities: [ca] });
    const certified = identity({ ca, ...client });
    for (const tls of [undefined, certified, identity({ ca }), certified, undefined]) {
      expect(await setup.send(url, { tls })).toMatchObject({ status: 200 });
    }
    expect(clients).toEqual([undefined, 'posthorn client', undefined]);
    expect(setup.agent.stats()).toMatchObject({ origins: 3, openConnections: 3, tlsIdentities: 2 });
  });
});

test('identities beyond the limit are forgotten, and made again when they come back', async () => {
  await using receiver = await startRawReceiver({ tls: privateTls, onRequest: respond(OK) });
  await using setup = setupAgent({ lookup, maxTlsIdentities: 1 });
  const url = `https://hooks.example:${receiver.port}/`;
  const identities = [identity({ ca }), identity({ ca, ...client }), identity({ ca: `${ca}\n` })];
  for (const tls of [...identities, ...identities]) {
    expect(await setup.send(url, { tls })).toMatchObject({ status: 200 });
    expect(setup.agent.stats().tlsIdentities).toBe(1);
  }
});

test('an identity changes nothing where there is no TLS', async () => {
  await using receiver = await startRawReceiver({ onRequest: respond(OK) });
  await using setup = setupAgent();
  const url = `http://127.0.0.1:${receiver.port}/`;
  await setup.send(url, { tls: identity(client) });
  await setup.send(url);
  expect(receiver.connections).toBe(1);
});

describe('there is no insecure fallback', () => {
  afterEach(() => vi.unstubAllEnvs());

  test('not even where the environment of the process asks for one', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    await using receiver = await startRawReceiver({ tls: publicTls, onRequest: respond(OK) });
    await using setup = setupAgent({ lookup });
    const url = `https://hooks.example:${receiver.port}/`;
    expect(await setup.send(url)).toMatchObject({ failure: 'tls' });
    expect(await setup.send(url, { tls: identity({ ca }) })).toMatchObject({ failure: 'tls' });
    expect(receiver.requests).toEqual([]);
  });
});
