import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createAuthority } from '@posthorn/testkit';
import {
  type Case,
  type Measured,
  measurePosts,
  type Protocol,
  type Receiver,
} from './http2/measure-posts.ts';

const HELP = `npm run http2-bench -- [options]

Whether HTTP/2 to receivers pays off: CPU of undici for a POST of 1 KB over TLS, with HTTP/1.1 and with HTTP/2, to a
receiver in a process of its own that speaks both. Rounds of the two take turns; printed is the median of all rounds,
the least and the most in brackets, and the median of what HTTP/2 costs in parts of HTTP/1.1, round by round.

  --rounds N     (default 7)
  --requests N   of each case in each round (default 4000)
`;

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    requests: { type: 'string', default: '4000' },
    help: { type: 'boolean', short: 'h' },
  },
});

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const PROTOCOLS: readonly Protocol[] = ['HTTP/1.1', 'HTTP/2'];
const PER_CONNECTION = 8;

/** What a worker has: receivers that get much at a time, some, one after the other, and a few before the connection is idle. */
function casesOf(requests: number): readonly Case[] {
  return [
    { name: '64 at a time', concurrency: 64, requests },
    { name: '8 at a time', concurrency: 8, requests },
    { name: 'one after the other', concurrency: 1, requests },
    {
      name: `a new connection for every ${PER_CONNECTION}`,
      concurrency: 1,
      requests: requests / 4,
      perConnection: PER_CONNECTION,
    },
  ];
}

async function startReceiver(): Promise<Receiver & Disposable> {
  const authority = createAuthority();
  const { certificate, key } = authority.issue({ name: 'receiver', addresses: ['127.0.0.1'] });
  const script = fileURLToPath(new URL('./http2/receiver.ts', import.meta.url));
  const child = fork(script, [certificate, key]);
  const [port] = await once(child, 'message');
  return {
    port: port as number,
    authority: authority.certificate,
    [Symbol.dispose]: () => child.disconnect(),
  };
}

/** Of one case, round by round. */
type Rounds = Readonly<Record<Protocol, Measured[]>>;

async function measureRounds(receiver: Receiver, work: Case, rounds: number): Promise<Rounds> {
  const measured: Rounds = { 'HTTP/1.1': [], 'HTTP/2': [] };
  // The first is to warm up.
  for (let round = 0; round <= rounds; round++) {
    const order = round % 2 === 0 ? PROTOCOLS : PROTOCOLS.toReversed();
    for (const protocol of order) {
      const figures = await measurePosts(protocol, receiver, work);
      if (round > 0) measured[protocol].push(figures);
    }
  }
  return measured;
}

const sorted = (figures: readonly number[]): number[] => figures.toSorted((a, b) => a - b);
const median = (figures: readonly number[]): number => sorted(figures)[Math.floor(figures.length / 2)]!;
const spread = (figures: readonly number[]): string =>
  `${median(figures).toFixed(0)} (${sorted(figures)[0]!.toFixed(0)}–${sorted(figures).at(-1)!.toFixed(0)})`;

function row({ name }: Case, rounds: Rounds): string {
  const of = (protocol: Protocol, figure: keyof Measured) => rounds[protocol].map((each) => each[figure]);
  const one = of('HTTP/1.1', 'cpuMicrosPerPost');
  const two = of('HTTP/2', 'cpuMicrosPerPost');
  const ratio = median(two.map((cpu, round) => cpu / one[round]!));
  const wall = PROTOCOLS.map((protocol) => spread(of(protocol, 'wallMicrosPerPost')));
  return `| ${name} | ${spread(one)} | ${spread(two)} | ${ratio.toFixed(2)} | ${wall.join(' | ')} |`;
}

async function run(): Promise<void> {
  using receiver = await startReceiver();
  say(
    '| requests to one receiver | CPU µs a POST, HTTP/1.1 | HTTP/2 | HTTP/2 ÷ HTTP/1.1 | wall µs, HTTP/1.1 | HTTP/2 |',
  );
  say('|---|---|---|---|---|---|');
  for (const work of casesOf(Number(flags.requests))) {
    say(row(work, await measureRounds(receiver, work, Number(flags.rounds))));
  }
}

if (flags.help) say(HELP);
else await run();
