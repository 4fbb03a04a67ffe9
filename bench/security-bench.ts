import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { createAddressPolicy, createResolver, parseTarget } from '@posthorn/egress';
import { generatePrivateKey, makeSignatures, parsePrivateKey, parseSecret, verify } from '@posthorn/signing';
import { type Case, measure } from './security/measure.ts';

const HELP = `npm run security-bench -- [options]

Measures what security costs an attempt, in one process and without any network: the guard of what is dialled, with a
verdict that is cached, and the signatures of a payload of 1 KB. Figures are microseconds of a call: of each round the
median of its batches, and of all rounds the least. Fails beyond the targets.

  --rounds N   (default 9)
  --json FILE  also write the figures to FILE
`;

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    json: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  },
});

const BODY = Buffer.from(JSON.stringify({ note: 'x'.repeat(1_013) }));
const NOW_SECONDS = 1_700_000_000;
const HOSTS = 1_000;
const GUARD_TARGET_US = 3;
const SIGN_TARGET_US = 12;

/** As if every attempt opened a connection: one that goes over an open one asks nobody. */
async function guardCase(): Promise<Case> {
  const policy = createAddressPolicy({
    allowedCidrs: ['10.20.0.0/16'],
    deniedCidrs: ['203.0.114.0/24'],
    deniedHosts: ['*.corp.example', 'api.internal.example'],
    ownHosts: ['posthorn.example:443'],
  });
  const lookup = async () => [{ address: '93.184.216.34', ttlSeconds: 60 }];
  const resolver = createResolver({ policy, lookup, minTtlMs: 3_600_000, maxTtlMs: 3_600_000 });
  const targets = Array.from({ length: HOSTS }, (_, i) => parseTarget(`https://hooks-${i}.example.com/in`)!);
  for (const { hostname, port } of targets) await resolver.resolve(hostname, port);
  let next = 0;
  return {
    name: 'guard: port, protocol, host and address, cached',
    targetUs: GUARD_TARGET_US,
    async call() {
      const target = targets[next++ % HOSTS]!;
      const verdict = policy.judgeTarget(target);
      const resolution = await resolver.resolve(target.hostname, target.port);
      if (!verdict.allowed || !resolution.ok) throw new Error('a public host was refused');
    },
  };
}

function keyOf<Key>(parsed: { ok: true; key: Key } | { ok: false; reason: string }): Key {
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.key;
}

function signingCases(): Case[] {
  const secrets = ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'];
  const [secret, older] = secrets.map((text) => keyOf(parseSecret(text)));
  const pair = keyOf(parsePrivateKey(generatePrivateKey()));
  const id = '01890a5d-ac96-774b-bcce-b302099a8057_a672f548a1f9baa8';
  const input = { id, timestampSeconds: NOW_SECONDS, body: BODY };
  const { signature } = makeSignatures({ ...input, keys: [secret!] });
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': String(NOW_SECONDS),
    'webhook-signature': signature,
  };
  const sign = (keys: Parameters<typeof makeSignatures>[0]['keys']) => () =>
    makeSignatures({ ...input, keys });
  return [
    { name: 'sign: both headers', targetUs: SIGN_TARGET_US, call: sign([secret!]) },
    { name: 'sign: both headers, while a secret rotates', targetUs: null, call: sign([secret!, older!]) },
    { name: 'sign: ed25519 alone', targetUs: null, call: sign([pair]) },
    { name: 'sign: both headers and ed25519', targetUs: null, call: sign([secret!, pair]) },
    {
      name: 'verify, as a receiver',
      targetUs: null,
      call: () => verify(headers, BODY, [secret!], { nowSeconds: NOW_SECONDS }),
    },
  ];
}

async function main(): Promise<void> {
  const rounds = Number(flags.rounds);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds ${flags.rounds}: expected a whole number above 0`);
  const figures = [];
  for (const each of [await guardCase(), ...signingCases()]) {
    const us = await measure(each, rounds);
    const missed = each.targetUs !== null && us > each.targetUs;
    if (missed) process.exitCode = 1;
    figures.push({ name: each.name, us: Number(us.toFixed(2)), targetUs: each.targetUs });
    const target = each.targetUs === null ? '' : `  (target ${each.targetUs}${missed ? ', missed' : ''})`;
    console.log(`${us.toFixed(2).padStart(8)} µs  ${each.name}${target}`);
  }
  if (flags.json !== undefined) await writeFile(flags.json, `${JSON.stringify(figures, null, 2)}\n`);
}

if (flags.help) console.log(HELP);
else await main();
