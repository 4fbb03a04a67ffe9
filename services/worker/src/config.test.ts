import { SCHEDULE_PRESETS } from '@posthorn/contracts';
import { ConfigError } from '@posthorn/runtime';
import { isHeaderPrefix } from '@posthorn/signing';
import { expect, test } from 'vitest';
import { readServiceConfig } from './config.ts';

const SECRETS_KEY = Buffer.alloc(32, 7).toString('base64');
const read = (environment: Record<string, string>) => readServiceConfig({ SECRETS_KEY, ...environment });

test('the default schedule makes six requests in all', () => {
  expect(read({}).retrySchedule).toEqual([1_000, 4_000, 16_000, 64_000, 256_000]);
});

test.each(['default', 'standard', 'aggressive', 'none'] as const)(
  'the schedule can be %s, by name',
  (name) => {
    expect(read({ RETRY_SCHEDULE: name }).retrySchedule).toEqual(SCHEDULE_PRESETS[name]);
  },
);

test('a schedule of none is empty', () => {
  expect(read({ RETRY_SCHEDULE: 'none' }).retrySchedule).toEqual([]);
});

test.each([
  ['RETRY_SCHEDULE', '1s,soon'],
  ['RETRY_SCHEDULE', '200h'],
  ['RETRY_SCHEDULE', Array(51).fill('1s').join(',')],
  ['RETRY_JITTER_PERCENT', '99'],
  ['ATTEMPT_TIMEOUT_MS', '60001'],
  ['MAX_CONCURRENT_ATTEMPTS', '0'],
])('%s=%s stops the start', (key, value) => {
  expect(() => read({ [key]: value })).toThrow(ConfigError);
  expect(() => read({ [key]: value })).toThrow(key);
});

test.each(['acme', 'acme-2', 'a'.repeat(32)])('headers can be named after %s', (prefix) => {
  expect(isHeaderPrefix(prefix)).toBe(true);
  expect(read({ SIGNATURE_HEADER_PREFIX: prefix }).signatureHeaderPrefix).toBe(prefix);
});

test.each(['Acme', '-a', 'a-', 'a--b', 'a_b', 'a b', 'a\r\nb', '9a', 'a'.repeat(33)])(
  'headers cannot be named after %j',
  (prefix) => {
    expect(isHeaderPrefix(prefix)).toBe(false);
    expect(() => read({ SIGNATURE_HEADER_PREFIX: prefix })).toThrow(/SIGNATURE_HEADER_PREFIX/);
  },
);

test('a key for the secrets that is none stops the start and is not shown', () => {
  const act = () => read({ SECRETS_KEY: 'not-a-key' });
  expect(act).toThrow(/SECRETS_KEY/);
  expect(act).not.toThrow(/not-a-key/);
});
