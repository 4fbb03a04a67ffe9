import type { AuditEntry } from '@posthorn/db';
import { createLogger } from '@posthorn/runtime';
import { expect, test } from 'vitest';
import { problem } from '../http/problem.ts';
import { tellIntent } from './tell-intent.ts';

const actor = { keyId: 'key_1', name: null, ip: null, requestId: 'req_1' };
const intent = {
  actor,
  tenantId: 'acme',
  subject: 'event-1',
  asked: 'replay.requested',
  failed: 'replay.failed',
  detail: { replayId: 'r' },
};
const log = createLogger('ingest', 'silent');

function ledger(failing: readonly string[] = []) {
  const steps: unknown[] = [];
  const audit = async ({ action, detail }: AuditEntry) => {
    if (failing.includes(action)) throw new Error('away');
    steps.push([action, detail]);
  };
  return { steps, parts: { store: { audit }, log } };
}

test('the entry stands before Kafka is asked', async () => {
  const { steps, parts } = ledger();
  const write = async () => {
    steps.push('written');
    return null;
  };
  expect(await tellIntent(parts, intent, write)).toBeNull();
  expect(steps).toEqual([['replay.requested', { replayId: 'r' }], 'written']);
});

test('nothing is done that has no entry', async () => {
  const { steps, parts } = ledger(['replay.requested']);
  const write = async () => {
    steps.push('written');
    return null;
  };
  await expect(tellIntent(parts, intent, write)).rejects.toThrow('away');
  expect(steps).toEqual([]);
});

test.each(['not_accepted', 'outcome_unknown'] as const)(
  'a write that is %s has an entry that says so',
  async (code) => {
    const { steps, parts } = ledger();
    const refused = problem(code, '');
    expect(await tellIntent(parts, intent, async () => refused)).toBe(refused);
    expect(steps).toEqual([
      ['replay.requested', { replayId: 'r' }],
      ['replay.failed', { replayId: 'r', code }],
    ]);
  },
);

test('a failure that cannot be told any more is answered all the same', async () => {
  const { steps, parts } = ledger(['replay.failed']);
  const refused = problem('outcome_unknown', '');
  expect(await tellIntent(parts, intent, async () => refused)).toBe(refused);
  expect(steps).toHaveLength(1);
});
