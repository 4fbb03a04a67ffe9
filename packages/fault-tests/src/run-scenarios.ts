import type { Options } from './options.ts';
import { createRandom } from './random.ts';
import { type Infra, startInfra } from './rig/start-infra.ts';
import type { Finding, Scenario, World } from './scenarios/scenario.ts';

export interface Result extends Finding {
  readonly id: string;
  readonly title: string;
  readonly verdict: 'passed' | 'failed' | 'skipped';
  readonly seconds: number;
}

/** One after the other, each with the plan that the seed and its own id draw. */
export async function runScenarios(
  scenarios: readonly Scenario[],
  options: Options,
  say: (line: string) => void,
  stop: AbortSignal,
): Promise<Result[]> {
  const results: Result[] = [];
  let shared: Infra | undefined;
  const close = async () => {
    await shared?.close();
    shared = undefined;
  };
  try {
    for (const scenario of scenarios) {
      stop.throwIfAborted();
      if (scenario.threeBrokers && options.brokers === 1) {
        results.push(skipped(scenario, 'needs --brokers 3'));
        continue;
      }
      if (scenario.alone) await close();
      shared ??= await startInfra(say, options.brokers);
      say(`${scenario.id}: ${scenario.title}`);
      const result = await runScenario(scenario, { ...options, infra: shared, say }, stop);
      results.push(result);
      say(`${scenario.id} ${result.verdict} in ${result.seconds} s ${JSON.stringify(result.figures)}`);
      for (const complaint of result.complaints) say(`  ${complaint}`);
      // What a failed scenario leaves behind is not for the next one to stumble over.
      if (scenario.alone || result.verdict === 'failed') await close();
    }
  } finally {
    await close();
  }
  return results;
}

async function runScenario(
  scenario: Scenario,
  given: Omit<World, 'random'>,
  stop: AbortSignal,
): Promise<Result> {
  const startedAt = performance.now();
  const random = createRandom(given.seed + Number(scenario.id.slice(1)));
  const finding = await Promise.race([scenario.run({ ...given, random }), aborted(stop)]).catch(
    (error: unknown): Finding => {
      stop.throwIfAborted();
      return {
        figures: {},
        complaints: [error instanceof Error ? (error.stack ?? error.message) : String(error)],
      };
    },
  );
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  const verdict = finding.skipped ? 'skipped' : finding.complaints.length > 0 ? 'failed' : 'passed';
  return { ...finding, id: scenario.id, title: scenario.title, verdict, seconds };
}

function aborted(stop: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    stop.addEventListener('abort', () => reject(stop.reason), { once: true });
  });
}

function skipped({ id, title }: Scenario, why: string): Result {
  return { id, title, verdict: 'skipped', skipped: why, seconds: 0, figures: {}, complaints: [] };
}
