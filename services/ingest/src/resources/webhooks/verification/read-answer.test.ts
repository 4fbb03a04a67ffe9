import { expect, test } from 'vitest';
import { echoes, readCloudEventsAnswer } from './read-answer.ts';

const said = (text: string) => echoes(Buffer.from(text), 'abc-123');

test.each(['abc-123', ' abc-123\n', '{"challenge":"abc-123"}', '{"ok":true,"challenge":"abc-123"}'])(
  'the challenge is repeated by %j',
  (text) => expect(said(text)).toBe(true),
);

test.each([
  '',
  'abc-1234',
  '<pre>abc-123</pre>',
  '"abc-123"',
  '["abc-123"]',
  '{"data":{"challenge":"abc-123"}}',
  '{"type":"webhook.verification","webhook_id":"ep_1","challenge":"abc-123"}',
  '{"challenge":["abc-123"]}',
  '{"__proto__":{"challenge":"abc-123"}}',
  '{"type":"webhook.verification","received":"{\\"challenge\\":\\"abc-123\\"}"}',
  '{"challenge":"abc-123"',
  `{"challenge":"abc-123"}${'x'.repeat(10)}`,
])('and not by %j', (text) => expect(said(text)).toBe(false));

test('an origin is allowed by name, by *, or in a list', () => {
  const allows = (value?: string | string[]) =>
    readCloudEventsAnswer({ 'webhook-allowed-origin': value }, 'hooks.example.com').isAllowed;
  expect(['*', 'hooks.example.com', 'Hooks.Example.COM', 'a.example, hooks.example.com'].map(allows)).toEqual(
    Array(4).fill(true),
  );
  expect(allows(['a.example', '*'])).toBe(true);
  expect(
    [undefined, '', 'example.com', 'x.hooks.example.com', 'hooks.example.com.evil.example'].map(allows),
  ).toEqual(Array(5).fill(false));
});

test('a rate of a minute becomes one of a second, within what a webhook can have; what cannot be read is no limit', () => {
  const rate = (value?: string) => readCloudEventsAnswer({ 'webhook-allowed-rate': value }, 'x').maxPerSec;
  expect(['120', '60', '30', '1', '999999999'].map(rate)).toEqual([2, 1, 1, 1, 10_000]);
  expect(['*', undefined, '', '0', '-5', '1e3', '99999999999', 'many'].map(rate)).toEqual(
    Array(8).fill(null),
  );
});
