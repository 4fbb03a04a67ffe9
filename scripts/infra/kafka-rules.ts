import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type AccessOperation, type AccessRule, connectKafka, grantAccess } from '@posthorn/kafka';

const GUIDE = join(resolve(import.meta.dirname, '..', '..'), 'docs', 'guides', 'kafka-and-postgres.md');
const GUIDES_PREFIX = 'posthorn.';
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

/** The rules of access that the guide prints, so that what it prints is what was tried. */
export function readKafkaRules(): AccessRule[] {
  return linesOfGuide()
    .filter((line) => line.startsWith('acl --'))
    .map(parseRule);
}

export interface Rights {
  readonly service: string;
  /** Sorted, with the prefix; one that ends in `*` stands for all that begin so. */
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  readonly groups: readonly string[];
}

/** The table of the guide. */
export function readRightsTable(): Rights[] {
  return linesOfGuide().flatMap((line) => {
    const [service, reads, writes, groups] = line.split('|').slice(1).map(namesIn);
    if (!service?.[0]?.startsWith('posthorn-') || !reads || !writes || !groups) return [];
    const full = (names: readonly string[]) => names.map((name) => `${GUIDES_PREFIX}${name}`).sort();
    return [{ service: service[0], reads: full(reads), writes: full(writes), groups: full(groups) }];
  });
}

const namesIn = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);
const linesOfGuide = (): string[] => readFileSync(GUIDE, 'utf8').split('\n');

/** @throws Error for a flag that is not known here. */
export function parseRule(line: string): AccessRule {
  const [, ...words] = line.trim().split(/\s+/);
  const given: Record<string, string[]> = {
    '--allow-principal': [],
    '--operation': [],
    '--topic': [],
    '--group': [],
    '--resource-pattern-type': [],
  };
  for (let at = 0; at < words.length; at += 2) {
    const values = given[words[at]!];
    if (values === undefined) throw new Error(`${words[at]} is not understood: ${line}`);
    values.push(words[at + 1]!);
  }
  return {
    principals: given['--allow-principal']!.map((principal) => principal.replace(/^User:/, '')),
    operations: given['--operation'] as AccessOperation[],
    topics: given['--topic']!,
    groups: given['--group']!,
    prefixed: given['--resource-pattern-type']!.includes('prefixed'),
  };
}

/** Gives the rules of the guide to the topics and groups that have another prefix. */
export async function grantKafkaRules(brokers: readonly string[], topicPrefix: string): Promise<void> {
  const moved = (name: string): string => name.replace(GUIDES_PREFIX, topicPrefix);
  const rules = readKafkaRules().map((rule) => ({
    ...rule,
    topics: rule.topics.map(moved),
    groups: rule.groups.map(moved),
  }));
  await grantAccess(connectKafka({ brokers: [...brokers], clientId: 'kafka-rules' }, SILENT), rules);
}
