import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { propertyRuns } from '@posthorn/testkit';
import { describe, expect, test } from 'vitest';
import { createAddressPolicy, createResolver, type FailedSend, parseTarget } from '../src/index.ts';
import { ksDistance, ksPValue } from './kolmogorov-smirnov.ts';
import { setupAgent } from './setup-agent.ts';

const isThorough = propertyRuns(1) > 1;
/** Few show what is plainly different; what differs by less is for the night to find, when nothing else runs. */
const PAIRS = isThorough ? 1_000 : 200;
const LEAST_P = 0.01;
/**
 * A hundredth of all comparisons of one distribution fail by chance, and many more while other tests take turns with this
 * one: what holds a blocked attempt up comes on top of what had held up the one that it was drawn from. Two that differ
 * by themselves never pass.
 */
const MOST_ROUNDS = 30;
const MOST_MS = 120_000;
/**
 * What a tenant is shown of an attempt, always; and what somebody who stands beside the agent could measure, in the long
 * run: turns that other tests take are no part of the agent's time.
 */
const MEASURES: readonly (keyof Times)[] = isThorough
  ? ['connectMs', 'dnsMs', 'shownMs', 'wallMs']
  : ['connectMs', 'dnsMs', 'shownMs'];

/** A port at which nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

const lookup = async (hostname: string) => [
  { address: hostname.startsWith('blocked') ? '10.0.0.1' : '127.0.0.1', ttlSeconds: 60 },
];

/** One agent, a URL at which nobody listens, and one that the policy blocks. */
async function setup(kind: 'address' | 'name' | 'port of a name') {
  const port = await closedPort();
  const other = await closedPort();
  const policy = createAddressPolicy({ allowedCidrs: ['127.0.0.1/32'], deniedPorts: [other] });
  const agent = setupAgent({ policy, resolver: createResolver({ policy, lookup }) });
  const [closed, blocked] = {
    address: [`http://127.0.0.1:${port}/`, `http://127.0.0.2:${port}/`],
    name: [`https://refused.example:${port}/`, `https://blocked.example:${port}/`],
    'port of a name': [`https://refused.example:${port}/`, `https://refused.example:${other}/`],
  }[kind] as [string, string];
  return { agent, closed, blocked, [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose]() };
}

type Times = { wallMs: number[]; connectMs: number[]; dnsMs: number[]; shownMs: number[] };
const noTimes = (): Times => ({ wallMs: [], connectMs: [], dnsMs: [], shownMs: [] });

async function measure({ agent, closed, blocked }: Awaited<ReturnType<typeof setup>>) {
  const times = { closed: noTimes(), blocked: noTimes() };
  const request = { method: 'POST', headers: [], body: Buffer.from('{}'), deadlineMs: 20_000 } as const;
  const requests = {
    closed: { ...request, target: parseTarget(closed)! },
    blocked: { ...request, target: parseTarget(blocked)! },
  };
  for (let pair = 0; pair < PAIRS; pair++) {
    for (const which of pair % 2 === 0
      ? (['closed', 'blocked'] as const)
      : (['blocked', 'closed'] as const)) {
      const startedAtMs = performance.now();
      const { timing } = await agent.agent.send(requests[which]);
      times[which].wallMs.push(performance.now() - startedAtMs);
      times[which].connectMs.push(timing.connectMs!);
      times[which].dnsMs.push(Math.round(timing.dnsMs ?? 0));
      times[which].shownMs.push(Math.round(timing.totalMs));
    }
  }
  return times;
}

describe('a blocked attempt', () => {
  test.each(['address', 'name', 'port of a name'] as const)(
    'takes as long as one that is refused, in each phase: %s',
    async (kind) => {
      await using pair = await setup(kind);
      // What there is to draw from is learnt first.
      await measure(pair);
      const best: Partial<Record<keyof Times, number>> = {};
      const isOpen = (each: keyof Times): boolean => (best[each] ?? 0) <= LEAST_P;
      for (let round = 0; round < MOST_ROUNDS && MEASURES.some(isOpen); round++) {
        const { closed, blocked } = await measure(pair);
        for (const each of MEASURES)
          best[each] = Math.max(best[each] ?? 0, ksPValue(closed[each], blocked[each]));
      }
      expect(Math.min(...Object.values(best)), JSON.stringify(best)).toBeGreaterThan(LEAST_P);
    },
    MOST_MS,
  );

  test.each(['address', 'name', 'port of a name'] as const)(
    'says what a refused one says: %s',
    async (kind) => {
      await using pair = await setup(kind);
      const refused = (await pair.agent.send(pair.closed)) as FailedSend;
      const blocked = (await pair.agent.send(pair.blocked)) as FailedSend;
      const { operatorDetail, failure, timing, ...shown } = blocked;
      expect([refused.failure, failure]).toEqual(['connect', 'blocked']);
      expect(shown).toEqual({ kind: 'failure', detail: refused.detail, sentAnyBytes: refused.sentAnyBytes });
      const shapeOf = (of: FailedSend['timing']) =>
        Object.entries(of).map(([phase, value]) => [phase, value === null ? null : typeof value]);
      expect(shapeOf(timing)).toEqual(shapeOf(refused.timing));
    },
  );

  test('of which none was refused yet takes a moment, and leaves nothing behind', async () => {
    await using pair = await setup('name');
    const { timing } = await pair.agent.send(pair.blocked);
    expect(timing.connectMs).toBeGreaterThan(0);
    expect(pair.agent.agent.stats()).toMatchObject({ openConnections: 0, requestsInFlight: 0 });
    expect(pair.agent.events).toEqual(['blocked', 'connection_refused']);
  });

  test('times out where a refused connection would still have waited', async () => {
    await using pair = await setup('address');
    const sent = await pair.agent.send(pair.blocked, { deadlineMs: 0.5 });
    expect(sent).toMatchObject({ kind: 'failure', failure: 'timeout', detail: 'the connection timed out' });
  });
});

describe('the distance of two samples', () => {
  test('is that of their shares below any value', () => {
    expect(ksDistance([1, 2, 3, 4], [1, 2, 3, 4])).toBe(0);
    expect(ksDistance([1, 2, 3, 4], [5, 6])).toBe(1);
    expect(ksDistance([1, 2, 3, 4], [1, 2, 2, 2])).toBe(0.5);
  });

  test('tells two distributions apart that differ by less than half a deviation', () => {
    const spread = (by: number) =>
      Array.from({ length: 1_000 }, (_, n) => by + ((n * 7_919) % 1_000) / 1_000);
    expect(ksPValue(spread(0), spread(0.01))).toBeGreaterThan(0.9);
    expect(ksPValue(spread(0), spread(0.1))).toBeLessThan(0.001);
  });
});
