import type { ConfigKey } from '@posthorn/runtime';
import { readText } from '../checks/repository.ts';
import type { ServiceSpec } from './configuration.ts';
import { PARTS } from './engine-limits.ts';
import type { Part } from './engine-part.ts';

/** Services whose limits are the engine's; their keys that no part names stand at the end. */
const ENGINE = ['worker', 'dispatcher', 'recorder'] as const;
/** Shared by every service: where things are, not how much of them. */
const SHARED =
  /^(LOG_LEVEL|OTEL_|TRACE_|ADMIN_|KAFKA_|DATABASE_|LANES|EVENT_PARTITIONS|JOURNAL_PARTITIONS|INBOUND_PARTITIONS)/;

type Key = ConfigKey<unknown>;

/**
 * The one table of them. Keys come from the services' declarations, what is fixed from the constants in the source:
 * nothing of it is written down twice, and a name that is gone stops the generator.
 */
export function engineTable(specs: readonly ServiceSpec[]): string {
  const keys = new Map(
    specs.flatMap(({ service, spec }) =>
      Object.values(spec).map((key: Key) => [`${service}: ${key.env}`, key] as const),
    ),
  );
  const rows = PARTS.flatMap((part) => partRows(part, keys));
  return [
    '| part | limit | default | unit | set by | meaning |',
    '|---|---|---|---|---|---|',
    ...rows,
    ...otherRows(keys),
  ].join('\n');
}

function partRows({ part, keys, fixed }: Part, declared: ReadonlyMap<string, Key>): string[] {
  return [
    ...keys.map((name) => {
      const key = declared.get(name);
      if (key === undefined) throw new Error(`no service declares "${name}"`);
      return keyRow(part, name, key);
    }),
    ...fixed.map(({ limit, file, name, unit, meaning }) =>
      row([part, limit, `\`${constantOf(readText(file), name, file)}\``, unit, 'fixed', meaning]),
    ),
  ];
}

function otherRows(declared: ReadonlyMap<string, Key>): string[] {
  const named = new Set(PARTS.flatMap(({ keys }) => keys));
  return [...declared]
    .filter(([name, key]) => {
      const service = ENGINE.find((each) => name.startsWith(`${each}: `));
      return service !== undefined && key.unit !== undefined && !SHARED.test(key.env) && !named.has(name);
    })
    .map(([name, key]) => keyRow('Other', name, key));
}

const keyRow = (part: string, name: string, key: Key): string =>
  row([part, `\`${key.env}\``, `\`${key.fallback ?? ''}\``, key.unit ?? '', name.split(':')[0]!, key.doc]);

const row = (cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;

/**
 * The number that `name` stands for in a source: `const NAME = 16 * 1_024;` or, in an object, `name: 2_000,`;
 * `outer.name` is that of `outer: { name: 2_000 }`.
 */
export function constantOf(source: string, name: string, file: string): number {
  const [inner, outer] = name.split('.').reverse();
  if (outer !== undefined) {
    const object = new RegExp(`\\b${outer}(?: =|:) \\{([^}]*)\\}`).exec(source)?.[1] ?? '';
    return constantOf(`${object},`, inner!, file);
  }
  const found = [...source.matchAll(new RegExp(`\\b${name}(?: =|:) ([\\d_.*+ ]+)[;,]`, 'g'))];
  if (found.length !== 1) throw new Error(`${file} has ${found.length} numbers called "${name}"`);
  const sum = found[0]![1]!.split('+').map((term) => product(term));
  return sum.reduce((total, term) => total + term, 0);
}

const product = (term: string): number =>
  term.split('*').reduce((total, factor) => total * Number(factor.replaceAll('_', '')), 1);
