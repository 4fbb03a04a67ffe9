import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createAuthority, startForwardProxy } from '@posthorn/testkit';
import { afterAll, describe, expect, test } from 'vitest';
import { type EgressConfig, egressAgent, egressGrammar, parseTarget } from '../src/index.ts';
import { OK, respond, startRawReceiver } from './raw-receiver.ts';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'posthorn-egress-'));
afterAll(() => rmSync(folder, { recursive: true }));

const authority = createAuthority();
const authorityFile = join(folder, 'authority.pem');
writeFileSync(authorityFile, authority.certificate);
const { certificate: cert, key } = authority.issue({ name: 'receiver', addresses: ['127.0.0.1'] });

const DEFAULTS: EgressConfig = {
  egressAllowedCidrs: ['127.0.0.0/8'],
  egressDeniedCidrs: [],
  egressAllowedPorts: [],
  egressDeniedHosts: [],
  egressHttpsOnly: false,
  egressNat64Prefixes: [],
  ownHosts: [],
  loopName: 'posthorn',
  egressDnsServers: [],
  egressDnsTimeoutMs: 5_000,
  egressDnsMaxLookups: 256,
  egressDnsMaxNames: 10_000,
  egressDnsMinTtlMs: 1_000,
  egressDnsMaxTtlMs: 60_000,
  egressDnsNegativeTtlMs: 5_000,
  egressAuthorities: [],
  egressProxyUrl: '',
  egressProxyDns: 'local',
  egressMaxConnections: 100,
  egressMaxConnectionsPerAddress: 100,
};

async function sendWith(config: Partial<EgressConfig>, url: string) {
  const agent = egressAgent({ ...DEFAULTS, ...config });
  const target = parseTarget(url)!;
  const body = Buffer.from('{}');
  const sent = await agent.send({ target, method: 'POST', headers: [], body, deadlineMs: 10_000 });
  const stats = agent.stats();
  await agent.close();
  return { sent, stats };
}

describe('what the operator has set holds for the agent of a service:', () => {
  test('the proxy, and who resolves names for it', async () => {
    await using receiver = await startRawReceiver({ onRequest: respond(OK) });
    const route = () => ({ host: '127.0.0.1', port: receiver.port });
    await using proxy = await startForwardProxy({ kind: 'http', route });
    const egressProxyUrl = `http://127.0.0.1:${proxy.port}`;
    const byAddress = `http://127.0.0.1:${receiver.port}/`;
    expect((await sendWith({ egressProxyUrl }, byAddress)).sent).toMatchObject({ status: 200 });
    const remote = { egressProxyUrl, egressProxyDns: 'remote' } as const;
    expect((await sendWith(remote, 'http://hooks.example.com/')).sent).toMatchObject({ status: 200 });
    expect(proxy.asked).toEqual([`127.0.0.1:${receiver.port}`, 'hooks.example.com:80']);
  });

  test('the authorities of its file', async () => {
    await using receiver = await startRawReceiver({ tls: { cert, key }, onRequest: respond(OK) });
    const url = `https://127.0.0.1:${receiver.port}/`;
    const egressAuthorities = egressGrammar.authorities(authorityFile);
    expect((await sendWith({ egressAuthorities }, url)).sent).toMatchObject({ status: 200 });
    expect((await sendWith({}, url)).sent).toMatchObject({ failure: 'tls' });
  });

  test('the bound of connections', async () => {
    await using receiver = await startRawReceiver({ onRequest: respond(OK) });
    const { stats } = await sendWith({ egressMaxConnections: 7 }, `http://127.0.0.1:${receiver.port}/`);
    expect(stats.maxConnections).toBe(7);
  });
});

test('a proxy that is no URL, or one of another kind, is refused without a word of its password', () => {
  for (const text of [
    'http://user:secret@',
    'ftp://user:secret@proxy.corp',
    'http://user:secret@proxy.corp/x',
  ]) {
    expect(() => egressGrammar.checkProxyUrl(text)).toThrow(/^(?!.*secret)/);
  }
  expect(() => egressGrammar.checkProxyUrl('')).not.toThrow();
});

test.skipIf(process.platform !== 'linux')(
  'authorities of the machine are trusted where Node is told to read them',
  async () => {
    await using receiver = await startRawReceiver({ tls: { cert, key }, onRequest: respond(OK) });
    const index = new URL('../src/index.ts', import.meta.url).href;
    const script = `
      import { createAddressPolicy, createGuardedAgent, parseTarget } from ${JSON.stringify(index)};
      const agent = createGuardedAgent({ policy: createAddressPolicy({ allowedCidrs: ['127.0.0.0/8'] }) });
      const target = parseTarget('https://127.0.0.1:${receiver.port}/');
      const sent = await agent.send({ target, method: 'GET', headers: [], body: Buffer.alloc(0), deadlineMs: 10_000 });
      await agent.close();
      console.log(sent.status ?? sent.detail);`;
    const machine = { SSL_CERT_FILE: authorityFile, NODE_USE_SYSTEM_CA: '1' };
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], { env: machine });
    expect(stdout.trim()).toBe('200');
  },
);
