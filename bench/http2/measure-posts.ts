import { Pool } from 'undici';

export type Protocol = 'HTTP/1.1' | 'HTTP/2';

export interface Case {
  readonly name: string;
  /** Requests to one receiver at the same time. */
  readonly concurrency: number;
  readonly requests: number;
  /** Requests on one connection before it is closed; without it all go over what is open. */
  readonly perConnection?: number;
}

export interface Receiver {
  readonly port: number;
  readonly authority: string;
}

export interface Measured {
  readonly cpuMicrosPerPost: number;
  readonly wallMicrosPerPost: number;
}

const BODY = Buffer.from(JSON.stringify({ text: 'x'.repeat(1_000) }));
const HEADERS = {
  'content-type': 'application/json',
  'user-agent': 'Posthorn/bench',
  'webhook-id': 'dlv_0199f9c0-0000-7000-8000-000000000000_0123456789abcdef',
  'webhook-timestamp': '1790000000',
  'webhook-signature': 'v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=',
  'x-webhook-signature': `sha256=${'0'.repeat(64)}`,
};

/** CPU of this process, the client, over so many POSTs of 1 KB. */
export async function measurePosts(protocol: Protocol, receiver: Receiver, work: Case): Promise<Measured> {
  const batches = work.perConnection === undefined ? 1 : work.requests / work.perConnection;
  const cpuBefore = process.cpuUsage();
  const startedAtMs = performance.now();
  for (let batch = 0; batch < batches; batch++) {
    const pool = openPool(protocol, receiver, work);
    await postAll(pool, work.requests / batches, work.concurrency);
    await pool.close();
  }
  const { user, system } = process.cpuUsage(cpuBefore);
  return {
    cpuMicrosPerPost: (user + system) / work.requests,
    wallMicrosPerPost: ((performance.now() - startedAtMs) * 1_000) / work.requests,
  };
}

function openPool(protocol: Protocol, { port, authority }: Receiver, { concurrency }: Case): Pool {
  const isHttp2 = protocol === 'HTTP/2';
  return new Pool(`https://127.0.0.1:${port}`, {
    allowH2: isHttp2,
    // One connection carries all streams; of HTTP/1.1 each request under way has its own.
    connections: isHttp2 ? 1 : concurrency,
    pipelining: isHttp2 ? concurrency : 1,
    maxConcurrentStreams: concurrency,
    connect: { ca: authority },
  });
}

async function postAll(pool: Pool, requests: number, concurrency: number): Promise<void> {
  let left = requests;
  const post = async (): Promise<void> => {
    while (left-- > 0) {
      const { statusCode, body } = await pool.request({
        path: '/',
        method: 'POST',
        headers: HEADERS,
        body: BODY,
      });
      await body.dump();
      if (statusCode !== 200) throw new Error(`answered ${statusCode}`);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, post));
}
