import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { isWithin, parseCidr } from '../src/parse-address.ts';
import { DENIED_IPV4, DENIED_IPV6, PUBLIC_IPV6 } from '../src/special-blocks.ts';

const ROOT = new URL('../../../', import.meta.url);
const RULES = fileURLToPath(new URL('infra/egress-firewall.nft', ROOT));
const PROBE = fileURLToPath(new URL('firewall-probe.ts', import.meta.url));

const blocksIn = (text: string): string[] =>
  [...text.matchAll(/(?<=[\s,])[0-9a-f:.]+\/\d+/g)].map(([block]) => block);

/** Of the guard's blocks those that a firewall needs, which lets only 2000::/3 through, and no 6to4 at all. */
const ipv6 = DENIED_IPV6.filter(({ cidr }) => isWithin(cidr, PUBLIC_IPV6)).map(({ text }) => text);
const NEEDED = [
  ...DENIED_IPV4.map(({ text }) => text),
  // Within a larger one that is there.
  ...ipv6.filter((text) => text !== '2001::/32'),
  '2002::/16',
].sort();

describe('the firewall', () => {
  test.each([
    ['of Kubernetes', 'helm/posthorn/templates/egress-firewall.yaml', /except:((?:\s+- \S+)+)/g],
    ['of a machine', 'infra/egress-firewall.nft', /elements = \{([^}]+)\}/g],
  ])('%s denies what the guard denies', (_, path, lists) => {
    const text = readFileSync(new URL(path, ROOT), 'utf8');
    const blocks = [...text.matchAll(lists)].flatMap(([, list]) => blocksIn(` ${list}`));
    expect(blocks.filter((block) => parseCidr(block) === null)).toEqual([]);
    expect(blocks.sort()).toEqual(NEEDED);
  });
});

const INNER = [
  '10.9.0.1',
  '100.100.100.200',
  '168.63.129.16',
  '169.254.169.254',
  '172.20.0.1',
  '192.168.7.7',
  '198.18.0.1',
];
const INNER_IPV6 = ['fd00:ec2::254', '64:ff9b::a00:1', '2002:a00:1::1', '2001:db8::1'];
const PUBLIC = ['8.8.8.8', '2606:4700:4700::1111'];

/** A command of `ip`, `nft` and `node` in a namespace whose loopback has all these addresses. */
function inNamespace(command: string): ReturnType<typeof spawnSync> {
  const give = [...INNER, ...INNER_IPV6, ...PUBLIC].map((address) =>
    address.includes(':') ? `ip -6 addr add ${address}/128 dev lo` : `ip addr add ${address}/32 dev lo`,
  );
  const script = ['set -e', 'ip link set lo up', ...give, command].join('\n');
  return spawnSync('unshare', ['--net', 'sh', '-c', script], { encoding: 'utf8' });
}

const probe = `"${process.execPath}" --no-warnings "${PROBE}" ${[...INNER, ...INNER_IPV6, ...PUBLIC].join(' ')}`;
const hasFirewall = inNamespace('nft list ruleset').status === 0;

/** Needs root, to make a network namespace, and nft; the workflow runs it so. */
describe.skipIf(!hasFirewall)('with the guard off', () => {
  const called = (command: string): unknown[] => {
    const { stdout, stderr } = inNamespace(command);
    expect(stderr).toBe('');
    return JSON.parse(String(stdout));
  };

  test('nothing private is reached behind the firewall, and what is public is', () => {
    const refused = { answer: 'connect: connection refused', connections: 0 };
    expect(called(`nft -f "${RULES}"; ${probe}`)).toEqual([
      ...[...INNER, ...INNER_IPV6].map((host) => ({ host, ...refused })),
      ...PUBLIC.map((host) => ({ host, answer: 'response', connections: 1 })),
    ]);
  });

  test('all of it would be reached without: the firewall it is that holds', () => {
    const reached = called(probe).filter((each) => (each as { connections: number }).connections === 1);
    expect(reached).toHaveLength(INNER.length + INNER_IPV6.length + PUBLIC.length);
  });
});
