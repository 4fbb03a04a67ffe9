import { DatabaseTimeoutError } from '@posthorn/db';
import { describe, expect, test } from 'vitest';
import { createQuestionGate, TooManyQuestionsError } from './question-gate.ts';

const LONG_MS = 60_000;
const never = () => new Promise<never>(() => undefined);

describe('questions to Postgres', () => {
  test('count until they are answered, though nobody waits for them any more', async () => {
    const gate = createQuestionGate(1);
    const { promise, resolve } = Promise.withResolvers<void>();
    await expect(gate.ask(1, () => promise)).rejects.toBeInstanceOf(DatabaseTimeoutError);
    await expect(gate.ask(LONG_MS, async () => 'more')).rejects.toBeInstanceOf(TooManyQuestionsError);
    resolve();
    await promise;
    expect(await gate.ask(LONG_MS, async () => 'more')).toBe('more');
    expect(gate.underWay).toBe(0);
  });

  test('of one tenant leave room for those of others', async () => {
    const gate = createQuestionGate(3, 2);
    for (let i = 0; i < 2; i += 1) void gate.ask(LONG_MS, never, 'busy');
    await expect(gate.ask(LONG_MS, async () => 'a', 'busy')).rejects.toBeInstanceOf(TooManyQuestionsError);
    expect(await gate.ask(LONG_MS, async () => 'b', 'quiet')).toBe('b');
  });

  test('that fail make room', async () => {
    const gate = createQuestionGate(1);
    const broken = () => Promise.reject(new Error('broken'));
    for (let i = 0; i < 3; i += 1) await expect(gate.ask(LONG_MS, broken)).rejects.toThrow('broken');
  });
});
