import { parseArgs } from 'node:util';
import type { Form } from './scenarios/scenario.ts';

export interface Options {
  readonly help: boolean;
  /** Ids of scenarios; empty means those of the form. */
  readonly only: readonly string[];
  readonly seed: number;
  readonly form: Form;
  readonly events: number;
  readonly kills: number;
  readonly minutes: number;
  readonly brokers: 1 | 3;
  /** undefined: docs/reliability for whole forms, nowhere for a choice. */
  readonly report: string | undefined;
  readonly replay: string | undefined;
  /** A checkout of the version before, for the scenario that runs both. */
  readonly previous: string | undefined;
}

export const USAGE = `npm run test:faults -- [options]

Starts the whole system on a Kafka and a Postgres of its own, sends load, breaks things as the scenarios say, heals,
drains, and holds what was sent against what arrived and what the record says. Ends non-zero when a promise was broken.

  --only D1,D6      these scenarios alone
  --form FORM       short (four scenarios), ten-minutes (default; what runs every night) or long (all of them)
  --seed N          draws the same plan again (default: from the clock)
  --events N        least number of events that D1 sends
  --kills N         kills of D1, spread over services, broker and database
  --minutes N       D1 starts no further round after this time
  --brokers 1|3     three: replication factor 3, two replicas in sync at least
  --report DIR      where the report goes (default docs/reliability, for runs of all scenarios and of D1)
  --replay FILE     runs the scenario, seed and options of a failed run again
  --previous DIR    a checkout of the version before, with its dependencies installed: D26 runs both
  --list            names the scenarios
`;

const FORMS: Record<Form, Pick<Options, 'events' | 'kills' | 'minutes'>> = {
  short: { events: 1_000, kills: 6, minutes: 1 },
  'ten-minutes': { events: 10_000, kills: 24, minutes: 4 },
  long: { events: 100_000, kills: 300, minutes: 35 },
};

/** @throws Error naming the option that is wrong. */
export function parseOptions(argv: readonly string[], nowMs: number): Options & { readonly list: boolean } {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      list: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      form: { type: 'string', default: 'ten-minutes' },
      seed: { type: 'string', default: String(nowMs % 1_000_000) },
      events: { type: 'string' },
      kills: { type: 'string' },
      minutes: { type: 'string' },
      brokers: { type: 'string', default: '1' },
      report: { type: 'string' },
      replay: { type: 'string' },
      previous: { type: 'string' },
    },
  });
  const form = values.form as Form;
  if (!Object.hasOwn(FORMS, form))
    throw new Error(`--form takes ${Object.keys(FORMS).join(', ')}, not ${form}`);
  if (values.brokers !== '1' && values.brokers !== '3')
    throw new Error(`--brokers takes 1 or 3, not ${values.brokers}`);
  const number = (name: 'events' | 'kills' | 'minutes') =>
    values[name] === undefined ? FORMS[form][name] : count(name, values[name]);
  return {
    help: values.help,
    list: values.list,
    only: values.only.split(',').filter(Boolean),
    seed: count('seed', values.seed),
    form,
    events: number('events'),
    kills: number('kills'),
    minutes: number('minutes'),
    brokers: values.brokers === '3' ? 3 : 1,
    report: values.report,
    replay: values.replay,
    previous: values.previous,
  };
}

function count(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`--${name} takes a count, not ${text}`);
  return Number(text);
}
