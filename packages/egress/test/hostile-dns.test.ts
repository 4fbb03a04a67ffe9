import { describe, expect, test } from 'vitest';
import { createAddressPolicy, createDnsLookup, createResolver } from '../src/index.ts';
import { INNER_ADDRESSES } from './hostile-urls.ts';
import {
  A,
  AAAA,
  CNAME,
  type NameAnswer,
  type NameRecord,
  NXDOMAIN,
  SERVFAIL,
  startNameServer,
} from './name-server.ts';
import { OK, respond, startRawReceiver } from './raw-receiver.ts';
import { setupAgent } from './setup-agent.ts';

const refused = { kind: 'failure', failure: 'blocked', detail: 'connection refused', sentAnyBytes: false };

/** An agent that asks a name server, a real one but for what it says, and a receiver that it would reach. */
async function setup(
  answer: (name: string, type: number) => NameAnswer | null,
  {
    allowedCidrs = [] as readonly string[],
    ownHosts = [] as readonly string[],
    queryTimeoutMs = 20_000,
  } = {},
) {
  const names = await startNameServer(answer);
  const receiver = await startRawReceiver({ onRequest: respond(OK) });
  let nowMs = 0;
  const policy = createAddressPolicy({ allowedCidrs, ownHosts });
  const resolver = createResolver({
    policy,
    monotonicMs: () => nowMs,
    lookup: createDnsLookup({ servers: [names.address], queryTimeoutMs }),
  });
  const agent = setupAgent({ policy, resolver });
  return {
    names,
    receiver,
    advance: (ms: number) => (nowMs += ms),
    send: (host: string) => agent.send(`http://${host}:${receiver.port}/`),
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]();
      await receiver[Symbol.asyncDispose]();
      await names[Symbol.asyncDispose]();
    },
  };
}

const addresses = (...texts: string[]): ((type: number) => NameRecord[]) => {
  const records = texts.map((data) => ({ type: data.includes(':') ? AAAA : A, data }));
  return (type) => records.filter((record) => record.type === type);
};

/** As DNS has them: plain, without a port and brackets. */
const INNER = INNER_ADDRESSES.flatMap((host) => {
  const text = new URL(`http://${host}`).hostname.replace(/^\[(.*)\]$/, '$1');
  return text;
}).filter((text, at, all) => all.indexOf(text) === at);

test('an inner address as the answer for a public name is dialled by nobody: alone, behind a good one, before it', async () => {
  const good = '1.1.1.1';
  const answers = (name: string): string[] => {
    const [, order, at] = /^(\w+)-(\d+)\.example\.com$/.exec(name)!;
    const inner = INNER[Number(at)]!;
    return { alone: [inner], behind: [good, inner], before: [inner, good] }[order!]!;
  };
  await using inside = await setup((name, type) => ({ records: addresses(...answers(name))(type) }));
  const names = INNER.flatMap((_, at) => [`alone-${at}`, `behind-${at}`, `before-${at}`]);
  const called: string[] = [];
  const left = [...names];
  const sendEach = async (): Promise<void> => {
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      const result = await inside.send(`${name}.example.com`);
      if (!(result.kind === 'failure' && result.failure === 'blocked')) called.push(name);
    }
  };
  // As many at once as the one socket of the name server holds questions of.
  await Promise.all(Array.from({ length: 20 }, sendEach));
  expect(called).toEqual([]);
  expect(names.length).toBeGreaterThanOrEqual(300);
  expect(inside.receiver.connections).toBe(0);
});

describe('a name that leads to another', () => {
  const chain = (...steps: string[]): NameRecord[] =>
    steps.slice(1).map((data, at) => ({
      name: steps[at]!,
      type: /^[\d.]+$/.test(data) ? A : CNAME,
      data,
    }));

  test.each([
    ['once', ['a.example.com', 'b.example.com', '127.0.0.1']],
    ['by an inner name', ['a.example.com', 'localhost', '127.0.0.1']],
    ['through many', ['a.example.com', 'b.example.com', 'c.example.org', 'd.example.net', '10.0.0.1']],
  ])('%s is judged by where it ends', async (_, steps) => {
    await using inside = await setup((name, type) =>
      name === 'a.example.com' && type === A ? { records: chain(...steps) } : {},
    );
    expect(await inside.send('a.example.com')).toMatchObject(refused);
    expect(inside.receiver.connections).toBe(0);
  });

  test('and whose end is allowed is called', async () => {
    await using inside = await setup(
      (_, type) => (type === A ? { records: chain('a.example.com', 'b.example.com', '127.0.0.1') } : {}),
      { allowedCidrs: ['127.0.0.1/32'] },
    );
    expect(await inside.send('a.example.com')).toMatchObject({ status: 200 });
  });

  test('and back to itself, or nowhere, has no address', async () => {
    await using inside = await setup((_, type) =>
      type === A ? { records: chain('a.example.com', 'b.example.com', 'a.example.com') } : {},
    );
    expect(await inside.send('a.example.com')).toMatchObject({ failure: 'dns', sentAnyBytes: false });
    expect(inside.receiver.connections).toBe(0);
  });
});

describe('a name that changes its mind', () => {
  test.each([0, 1, 86_400])('is dialled where it was checked (time to live %i s)', async (ttl) => {
    const turns = ['127.0.0.1', '127.0.0.2'];
    let asked = 0;
    await using inside = await setup(
      (_, type) => (type === A ? { records: [{ type: A, ttl, data: turns[Math.min(asked++, 1)]! }] } : {}),
      { allowedCidrs: ['127.0.0.1/32'] },
    );
    expect(await inside.send('a.example.com')).toMatchObject({ status: 200 });
    expect(asked).toBe(1);
  });

  test('is judged anew when its answer is asked for again, however it said it would stay', async () => {
    let data = '127.0.0.1';
    await using inside = await setup(
      (_, type) => (type === A ? { records: [{ type: A, ttl: 86_400, data }] } : {}),
      {
        allowedCidrs: ['127.0.0.1/32'],
      },
    );
    expect(await inside.send('a.example.com')).toMatchObject({ status: 200 });
    data = '169.254.169.254';
    inside.advance(60_000);
    // Another name, so that no open connection serves it.
    expect(await inside.send('b.example.com')).toMatchObject(refused);
    expect(inside.receiver.connections).toBe(1);
  });
});

describe('a name of this system itself', () => {
  test('in DNS, under a name that nobody knows, is refused at its own port', async () => {
    const policyOfOwn = { allowedCidrs: ['127.0.0.1/32'], ownHosts: ['127.0.0.1'] };
    await using inside = await setup((_, type) => ({ records: addresses('127.0.0.1')(type) }), policyOfOwn);
    expect(await inside.send('innocent.example.com')).toMatchObject(refused);
    expect(inside.receiver.connections).toBe(0);
  });
});

test.each<[string, NameAnswer, string]>([
  ['that does not exist', { code: NXDOMAIN }, 'the host name does not exist'],
  ['whose server fails', { code: SERVFAIL }, 'the DNS lookup failed'],
  ['with no address', {}, 'the host name has no address'],
])('a name %s is a failure of DNS', async (_, answer, detail) => {
  await using inside = await setup(() => answer);
  expect(await inside.send('a.example.com')).toMatchObject({ kind: 'failure', failure: 'dns', detail });
});
