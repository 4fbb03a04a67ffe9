import { expect, test } from 'vitest';
import { readServiceConfig } from './config.ts';
import { namesOf } from './phases.ts';

const SECRETS_KEY = Buffer.alloc(32, 7).toString('base64');

test('an environment with the one key that has no default gives those of a laptop', () => {
  const config = readServiceConfig({ SECRETS_KEY });
  expect(config).toMatchObject({
    adminPort: 9401,
    lanes: 16,
    maxFanOutRecords: 1_000,
    maxTierRecords: 10_000,
  });
  expect(config.tiers.map((tier) => tier.name)).toEqual([
    '1s',
    '4s',
    '16s',
    '64s',
    '256s',
    '15m',
    '1h',
    '6h',
    '24h',
  ]);
});

test('every fault is listed, with its key and what was expected', () => {
  const environment = {
    FAN_OUT_MAX_RECORDS: '0',
    RETRY_TIERS: '4s,1s',
    REPLAY_MAX_RECORDS: 'many',
    SECRETS_KEY: 'c2hvcnQ=',
  };
  for (const key of Object.keys(environment)) expect(() => readServiceConfig(environment)).toThrow(key);
});

test('the prefix stands before every topic', () => {
  const config = readServiceConfig({ SECRETS_KEY, KAFKA_TOPIC_PREFIX: 'blue.' });
  expect(namesOf(config).events).toBe('blue.events');
});
