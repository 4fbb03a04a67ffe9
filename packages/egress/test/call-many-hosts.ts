import { readdirSync } from 'node:fs';
import { createAddressPolicy, createGuardedAgent, createResolver, parseTarget } from '../src/index.ts';
import { mostConnections } from '../src/most-connections.ts';

/** Run as a process of its own, with few file descriptors: calls so many hosts, all at one port, and tells what it took. */
const [port = '', hosts = ''] = process.argv.slice(2);
const CONCURRENCY = 64;
const SAMPLED_EVERY = 50;

const policy = createAddressPolicy({ allowedCidrs: ['127.0.0.0/8'] });
const agent = createGuardedAgent({
  policy,
  resolver: createResolver({ policy, lookup: async () => [{ address: '127.0.0.1', ttlSeconds: 60 }] }),
  maxConnections: mostConnections(4_096),
  connectionsPerAddress: Number.POSITIVE_INFINITY,
  keepAliveMs: 60_000,
});
const told = { answered: 0, failed: 0, mostDescriptors: 0, openConnections: 0, maxConnections: 0 };

async function call(n: number): Promise<void> {
  const sent = await agent.send({
    target: parseTarget(`http://h${n}.example.com:${port}/`)!,
    method: 'POST',
    headers: [],
    body: Buffer.from('{}'),
    deadlineMs: 30_000,
  });
  if (sent.kind === 'response') told.answered++;
  else told.failed++;
  if (n % SAMPLED_EVERY > 0) return;
  told.mostDescriptors = Math.max(told.mostDescriptors, readdirSync('/proc/self/fd').length);
}

let next = 0;
async function callOneAfterTheOther(): Promise<void> {
  while (next < Number(hosts)) await call(next++);
}

await Promise.all(Array.from({ length: CONCURRENCY }, callOneAfterTheOther));
const { openConnections, maxConnections } = agent.stats();
await agent.close();
console.log(JSON.stringify({ ...told, openConnections, maxConnections }));
