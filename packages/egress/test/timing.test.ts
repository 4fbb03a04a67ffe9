import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createAddressPolicy, type SendTiming } from '../src/index.ts';
import { OK, respond, startRawReceiver } from './raw-receiver.ts';
import { DEADLINE_MS, setupAgent } from './setup-agent.ts';

type Phase = 'dnsMs' | 'connectMs' | 'tlsMs' | 'firstByteMs';
const PHASES: readonly Phase[] = ['dnsMs', 'connectMs', 'tlsMs', 'firstByteMs'];

/** Which phases a request went through; of all of them together no more than the whole. */
function phasesOf({ timing }: { readonly timing: SendTiming }): Phase[] {
  const entered = PHASES.filter((phase) => timing[phase] !== null);
  const sumMs = entered.reduce((sum, phase) => sum + timing[phase]!, 0);
  expect(sumMs).toBeGreaterThanOrEqual(0);
  expect(sumMs).toBeLessThanOrEqual(timing.totalMs);
  return entered;
}

const lookup = async () => [{ address: '127.0.0.1', ttlSeconds: 60 }];
const pem = (name: string) => readFileSync(new URL(`certificates/${name}`, import.meta.url), 'utf8');
const receiverTls = { cert: pem('receiver.crt'), key: pem('receiver.key') };

test('the first request to a host goes through all phases, the next one over the same connection only waits', async () => {
  await using receiver = await startRawReceiver({ tls: receiverTls, onRequest: respond(OK) });
  await using setup = setupAgent({ extraAuthorities: [pem('authority.crt')], lookup });
  const url = `https://hooks.example:${receiver.port}/`;
  expect(phasesOf(await setup.send(url))).toEqual(PHASES);
  expect(phasesOf(await setup.send(url))).toEqual(['firstByteMs']);
});

test('plain HTTP has no TLS, and an address no DNS', async () => {
  await using receiver = await startRawReceiver({ onRequest: respond(OK) });
  await using setup = setupAgent({ lookup });
  const byName = await setup.send(`http://hooks.example:${receiver.port}/`);
  expect(phasesOf(byName)).toEqual(['dnsMs', 'connectMs', 'firstByteMs']);
  const byAddress = await setup.send(`http://127.0.0.1:${receiver.port}/`);
  expect(phasesOf(byAddress)).toEqual(['connectMs', 'firstByteMs']);
});

test('a name that does not resolve ends in DNS', async () => {
  await using setup = setupAgent({
    lookup: () => Promise.reject(Object.assign(new Error(), { code: 'ENOTFOUND' })),
  });
  expect(phasesOf(await setup.send('http://gone.example.com/'))).toEqual(['dnsMs']);
});

test.each([
  ['a name', 'http://hooks.example', ['dnsMs', 'connectMs']],
  ['an address', 'http://127.0.0.1', ['connectMs']],
])('a blocked address goes through what a refused connection does: %s', async (_what, origin, phases) => {
  const receiver = await startRawReceiver({});
  const { port } = receiver;
  await receiver[Symbol.asyncDispose]();
  await using closed = setupAgent({ lookup });
  await using blocked = setupAgent({ lookup, allowedCidrs: [] });
  const policy = createAddressPolicy({ allowedCidrs: ['127.0.0.0/8'], deniedPorts: [port] });
  await using denied = setupAgent({ lookup, policy });
  const answers = await Promise.all([closed, blocked, denied].map(({ send }) => send(`${origin}:${port}/`)));
  expect(answers).toMatchObject([{ failure: 'connect' }, { failure: 'blocked' }, { failure: 'blocked' }]);
  for (const answer of answers) expect(phasesOf(answer)).toEqual(phases);
});

test('a handshake that fails ends in TLS, after the connection', async () => {
  await using receiver = await startRawReceiver({ tls: receiverTls, onRequest: respond(OK) });
  await using setup = setupAgent({ lookup });
  const refused = await setup.send(`https://hooks.example:${receiver.port}/`);
  expect(refused).toMatchObject({ failure: 'tls' });
  expect(phasesOf(refused)).toEqual(['dnsMs', 'connectMs', 'tlsMs']);
});

test('an answer that never comes has no first byte; one that breaks off after its head has', async () => {
  await using mute = await startRawReceiver({});
  await using breaking = await startRawReceiver({
    onRequest: respond('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly so much'),
  });
  await using setup = setupAgent();
  const request = { deadlineMs: DEADLINE_MS };
  const [silent, broken] = await Promise.all([
    setup.send(`http://127.0.0.1:${mute.port}/`, request),
    setup.send(`http://127.0.0.1:${breaking.port}/`, request),
  ]);
  expect(phasesOf(silent)).toEqual(['connectMs']);
  expect(broken).toMatchObject({ kind: 'failure', failure: 'timeout', status: 200 });
  expect(phasesOf(broken)).toEqual(['connectMs', 'firstByteMs']);
  expect(broken.timing.firstByteMs).toBeLessThan(DEADLINE_MS);
});

test('an informational response is not the first byte of the answer', async () => {
  await using receiver = await startRawReceiver({
    onRequest: (socket) => void socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'),
  });
  await using setup = setupAgent();
  const hinted = await setup.send(`http://127.0.0.1:${receiver.port}/`, { deadlineMs: DEADLINE_MS });
  expect(phasesOf(hinted)).toEqual(['connectMs']);
});
