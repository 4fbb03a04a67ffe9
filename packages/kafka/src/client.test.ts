import kafkajs, { type LogEntry } from 'kafkajs';
import { expect, test } from 'vitest';
import { connectKafka, createRepeatFilter, forwardLog, type KafkaLog } from './client.ts';

const { logLevel } = kafkajs;

function setup() {
  const lines: Array<[string, object, string]> = [];
  const at = (level: string) => (fields: object, message: string) =>
    void lines.push([level, fields, message]);
  const log: KafkaLog = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  const entry = (level: number, message: string, fields = {}): LogEntry => ({
    namespace: 'Connection',
    level,
    label: 'X',
    log: { timestamp: 'now', logger: 'kafkajs', message, stack: 'long', ...fields },
  });
  return { lines, log, entry };
}

test('what kafkajs calls an error is a warning, with its fields and without its stack', () => {
  const { lines, log, entry } = setup();
  forwardLog(log, entry(logLevel.ERROR, 'Connection error', { broker: 'b:1' }), false);
  expect(lines).toEqual([['warn', { kafkajs: 'Connection', broker: 'b:1' }, 'Connection error']]);
});

test('what belongs to every rebalance, what is repeated, and all the rest is for debugging', () => {
  const { lines, log, entry } = setup();
  forwardLog(log, entry(logLevel.ERROR, 'Response Heartbeat', { error: 'The group is rebalancing' }), false);
  forwardLog(log, entry(logLevel.ERROR, 'Connection error'), true);
  forwardLog(log, entry(logLevel.INFO, 'Pausing fetching'), false);
  expect(lines.map(([level]) => level)).toEqual(['debug', 'debug', 'debug']);
});

test('a message is repeated within ten seconds of when it was last let through', () => {
  let nowMs = 0;
  const repeated = createRepeatFilter(() => nowMs);
  expect([repeated('a'), repeated('a'), repeated('b')]).toEqual([false, true, false]);
  nowMs = 10_000;
  expect([repeated('a'), repeated('a')]).toEqual([false, true]);
});

test('remembers a bounded number of messages', () => {
  const repeated = createRepeatFilter(() => 0);
  for (let i = 0; i < 101; i++) repeated(`message ${i}`);
  expect([repeated('message 0'), repeated('message 100')]).toEqual([false, true]);
});

test('a connection without brokers is refused', () => {
  expect(() => connectKafka({ brokers: [], clientId: 'x' }, setup().log)).toThrow('brokers');
});
