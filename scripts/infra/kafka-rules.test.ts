import { expect, test } from 'vitest';
import { parseRule, readKafkaRules, readRightsTable } from './kafka-rules.ts';

test('the commands of the guide grant what its table shows, and no more', () => {
  const rules = readKafkaRules();
  const granted = (service: string, operation: string, kind: 'topics' | 'groups') =>
    rules
      .filter(
        ({ principals, operations }) =>
          principals.includes(service) && operations.includes(operation as 'Read'),
      )
      .flatMap((rule) => rule[kind].map((name) => `${name}${rule.prefixed ? '*' : ''}`))
      .sort();
  const table = readRightsTable();
  expect(table.map(({ service }) => service)).toEqual([...new Set(rules.flatMap((rule) => rule.principals))]);
  for (const { service, reads, writes, groups } of table) {
    expect([service, granted(service, 'Read', 'topics')]).toEqual([service, reads]);
    expect([service, granted(service, 'Write', 'topics')]).toEqual([service, writes]);
    expect([service, granted(service, 'Read', 'groups')]).toEqual([service, groups]);
    expect([service, granted(service, 'Create', 'topics')]).toEqual([
      service,
      service === 'posthorn-setup' ? ['posthorn.*'] : [],
    ]);
    for (const operation of ['Describe', 'DescribeConfigs'])
      expect([service, granted(service, operation, 'topics')]).toEqual([service, ['posthorn.*']]);
  }
});

test('a flag that is not known stops whoever reads it', () => {
  expect(() => parseRule('acl --deny-principal User:x')).toThrow('--deny-principal is not understood');
});
