import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { ServiceProcess } from '@posthorn/system-tests';
import { startInfra } from '../rig/start-infra.ts';
import { judgeLog } from './judge-log.ts';
import { type FuzzResult, runFuzz } from './run-fuzz.ts';
import { startTarget } from './start-target.ts';

const DEFAULT_REQUESTS = 2_000;
const USAGE = `npm run test:fuzz -- [options]

Starts the API on a Kafka and a Postgres of its own and sends hostile requests to every operation of its OpenAPI
document: wrong types, sizes, encodings, ids of others, broken headers. Fails on a 500, an answer that the document does
not know, a hang, a crash, or a request with more or less than one log line.

  --requests N   for each operation (default ${DEFAULT_REQUESTS})
  --seed N       draws the same requests again (default: from the clock)
`;

interface Options {
  readonly requests: number;
  readonly seed: number;
}

function readOptions(argv: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      requests: { type: 'string', default: String(DEFAULT_REQUESTS) },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    },
  });
  if (values.help) return null;
  return { requests: count('requests', values.requests), seed: count('seed', values.seed) };
}

function count(name: string, text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Error(`--${name} takes a count from 1, not ${text}`);
  return Number(text);
}

const say = (line: string): void => console.log(line);

async function main(argv: readonly string[]): Promise<number> {
  const options = readOptions(argv);
  if (options === null) {
    say(USAGE);
    return 0;
  }
  say(`seed ${options.seed}, ${options.requests} requests to each operation`);
  const infra = await startInfra(say, 1);
  try {
    const target = await startTarget({
      kafkaBrokers: infra.addresses,
      databaseUrl: await infra.createDatabase(),
      logFile: join(infra.dir, 'logs', 'ingest.log'),
    });
    const result = await runFuzz({ ...target, ...options, requestsPerOperation: options.requests, say });
    const ended = target.service.exitCode;
    await waitForLine(target.service, result.requestIds.at(-1));
    const lines = [...target.service.lines];
    await target.stop();
    const faults = [
      ...result.failures,
      ...(ended === null ? [] : [`the service ended with ${ended}`]),
      ...judgeLog(lines, result.requestIds),
    ];
    report(result, faults);
    return faults.length > 0 ? 1 : 0;
  } finally {
    await infra.close();
  }
}

async function waitForLine(service: ServiceProcess, requestId: string | undefined): Promise<void> {
  if (requestId === undefined || service.exitCode !== null) return;
  await service.waitForLine((line) => line.request_id === requestId, { what: 'the last line of the log' });
}

function report({ operations, requests, statuses, closed }: FuzzResult, faults: readonly string[]): void {
  const counts = [...statuses].sort(([a], [b]) => a - b).map(([status, times]) => `${status}: ${times}`);
  say(`${operations} operations, ${requests} requests, ${closed} cut off while their bodies came`);
  say(`answers ${counts.join(', ')}`);
  for (const fault of faults) say(`FAILED ${fault}`);
  say(faults.length > 0 ? `${faults.length} faults` : 'no fault');
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
process.exit();
