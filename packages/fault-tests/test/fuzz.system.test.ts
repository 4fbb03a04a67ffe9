import { databaseUrl, kafkaBrokers } from '@posthorn/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FuzzTarget, judgeLog, runFuzz, startTarget } from '../src/index.ts';

/** Few beside the desk, and the same ones every time: they look for what a change did. The night draws many anew. */
const REQUESTS_PER_OPERATION = Number(process.env.FUZZ_REQUESTS ?? (process.env.CI ? 200 : 30));
const SEED = Number(process.env.FUZZ_SEED ?? 1);
/** Of all requests: the share that the server may cut off while their bodies are still coming. */
const CLOSED_SHARE = 0.05;

let target: FuzzTarget;
beforeAll(async () => {
  target = await startTarget({ kafkaBrokers: kafkaBrokers(), databaseUrl: await databaseUrl() });
});
afterAll(() => target?.stop());

test(`hostile requests to every operation get an answer that the document knows, and one log line each (FUZZ_SEED=${SEED})`, async () => {
  const { url, keys, known, service } = target;
  const result = await runFuzz({
    url,
    keys,
    known,
    seed: SEED,
    requestsPerOperation: REQUESTS_PER_OPERATION,
  });
  expect(result.failures).toEqual([]);
  expect(result.operations).toBeGreaterThan(30);
  expect(result.closed).toBeLessThan(result.requests * CLOSED_SHARE);
  expect(service.exitCode).toBeNull();
  const last = result.requestIds.at(-1)!;
  await service.waitForLine((line) => line.request_id === last, { what: 'the last line' });
  expect(judgeLog(service.lines, result.requestIds)).toEqual([]);
}, 120_000);
