import { parseArgs } from 'node:util';
import type { Clock, Environment } from '@posthorn/runtime';
import { readServiceConfig } from './config.ts';
import { STEPS, type Step, setUp } from './set-up.ts';
import { reasonOf } from './wait-for.ts';

const USAGE = `Brings Postgres and Kafka to what this release needs. Safe to run again.

Usage: node services/setup/src/main.ts [all|migrate|topics]

  all       migrations, then topics (default)
  migrate   apply migrations, make record partitions, set the rights of the services' database roles
  topics    create missing topics and check the settings of all

Configuration comes from the environment: DATABASE_URL, KAFKA_BROKERS, KAFKA_TOPIC_PREFIX, LANES,
RETRY_TIERS, SETUP_WAIT_TIMEOUT_MS … (docs/configuration.md).`;

export interface Terminal {
  say(line: string): void;
  complain(line: string): void;
}

/** The command: arguments and environment in, lines and an exit code out. */
export async function runSetUp(
  args: readonly string[],
  environment: Environment,
  clock: Clock,
  { say, complain }: Terminal,
): Promise<number> {
  try {
    const step = readStep(args);
    if (step === 'help') say(USAGE);
    else await setUp(step, readServiceConfig(environment), clock, say);
    return 0;
  } catch (error) {
    // A list of faults keeps its lines.
    const text = error instanceof Error && error.message.includes('\n  - ') ? error.message : reasonOf(error);
    complain(`set-up failed: ${text}`);
    return 1;
  }
}

function readStep(args: readonly string[]): Step | 'help' {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { help: { type: 'boolean', short: 'h' } },
    allowPositionals: true,
  });
  if (values.help) return 'help';
  const [given = 'all', ...rest] = positionals;
  const step = STEPS.find((each) => each === given);
  if (step === undefined || rest.length > 0)
    throw new Error(`"${positionals.join(' ')}" is not one of ${STEPS.join(', ')}; see --help`);
  return step;
}
