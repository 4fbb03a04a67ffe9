import { OPERATOR_TENANT_ID } from '@posthorn/contracts';
import { describe, expect, test } from 'vitest';
import { deadLetter, NOW_MS, newSubject } from '../test/entries.ts';
import { announceDeadLetters, announceFillingQuotas } from './announce.ts';
import { gatherRows } from './record-batch.ts';

const count = (before: number, after: number, maxDlqSize = 100) => [
  { tenantId: 'acme', before, after, maxDlqSize },
];
const percents = (...given: Parameters<typeof count>) =>
  announceFillingQuotas(NOW_MS, count(...given)).map(({ payload }) => payload.percent);

describe('a quota', () => {
  test.each([
    [0, 49, []],
    [49, 50, [50]],
    [50, 79, []],
    [79, 80, [80]],
    [0, 200, [50, 80]],
    [90, 60, []],
    [49, 49, []],
  ])('that goes from %i to %i of 100 is told about at %j percent', (before, after, told) => {
    expect(percents(before, after)).toEqual(told);
  });

  test('is told about each time it fills up again', () => {
    const [first, second] = [1, 2].map(() => announceFillingQuotas(NOW_MS, count(49, 50))[0]!);
    expect(first!.dedupeKey).not.toBe(second!.dedupeKey);
  });

  test('of nothing is never told about', () => {
    expect(percents(0, 1, 0)).toEqual([]);
  });
});

test('a dead letter is told about with what finds it, once a round, and never one of the operator’s own', () => {
  const subject = newSubject();
  const { columns, places } = gatherRows([deadLetter(subject, { round: 2 })]).deadLetters;
  const written = { tenantId: 'acme', deliveryId: columns.deliveryId[0]!, added: true };
  const told = announceDeadLetters(NOW_MS, columns, places, [
    written,
    { ...written, tenantId: OPERATOR_TENANT_ID },
  ]);
  expect(told).toMatchObject([
    {
      type: 'posthorn.dead_letter.created',
      dedupeKey: `posthorn.dead_letter.created ${written.deliveryId} 2`,
      payload: {
        tenant_id: 'acme',
        delivery_id: written.deliveryId,
        webhook_id: subject.endpointId,
        attempts: 6,
      },
    },
  ]);
});
