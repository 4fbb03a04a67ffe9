import { Pool } from 'undici';

/**
 * The unit that CPU figures are normalised by: a bare undici `request()` loop, 1 KB body, keep-alive, 128 connections,
 * against the load test's receiver. Prints CPU-seconds per 1,000 POSTs of this process alone.
 */
const [origin = '', seconds = '3'] = process.argv.slice(2);
const CONNECTIONS = 128;

const pool = new Pool(origin, { connections: CONNECTIONS, pipelining: 1 });
const body = Buffer.alloc(1024, 'x');
let posts = 0;

async function loop(untilMs: number): Promise<void> {
  while (Date.now() < untilMs) {
    const answer = await pool.request({ method: 'POST', path: '/raw', body });
    await answer.body.dump();
    posts += 1;
  }
}

async function measure(forMs: number): Promise<number> {
  posts = 0;
  const before = process.cpuUsage();
  const untilMs = Date.now() + forMs;
  await Promise.all(Array.from({ length: CONNECTIONS }, () => loop(untilMs)));
  const used = process.cpuUsage(before);
  return (used.user + used.system) / 1e6 / (posts / 1000);
}

await measure(1_000);
process.stdout.write(`${(await measure(Number(seconds) * 1000)).toFixed(5)}\n`);
await pool.close();
