import { parseArgs } from 'node:util';
import { systemClock } from '@posthorn/runtime';
import { readServiceConfig } from './config.ts';
import { STEPS, type Step, setUp } from './set-up.ts';
import { reasonOf } from './wait-for.ts';

const USAGE = `Brings Postgres and Kafka to what this release needs. Safe to run again.

Usage: node services/setup/src/main.ts [all|migrate|topics]

  all       migrations, then topics (default)
  migrate   apply migrations and make record partitions
  topics    create missing topics and check the settings of all

Configuration comes from the environment: DATABASE_URL, KAFKA_BROKERS, KAFKA_TOPIC_PREFIX, LANES,
RETRY_TIERS, SETUP_WAIT_TIMEOUT_MS … (docs/configuration.md).
`;

function readStep(): Step | 'help' {
  const { values, positionals } = parseArgs({
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

try {
  const step = readStep();
  if (step === 'help') process.stdout.write(USAGE);
  else
    await setUp(step, readServiceConfig(process.env), systemClock, (line) => {
      process.stdout.write(`${line}\n`);
    });
} catch (error) {
  const text = error instanceof Error && error.message.includes('\n') ? error.message : reasonOf(error);
  process.stderr.write(`set-up failed: ${text}\n`);
  process.exitCode = 1;
}
