import type { AuditHead } from '@posthorn/db';
import { expect, test } from 'vitest';
import { createHeadTeller } from './tell-audit-head.ts';

test('the head of the audit log is told at first, and when it has moved', async () => {
  const told: unknown[] = [];
  let head: AuditHead = { seq: 4, hash: 'aa' };
  const tell = createHeadTeller(async () => head, {
    info: (fields: object) => void told.push(fields),
  } as never);
  await tell();
  await tell();
  head = { seq: 5, hash: 'bb' };
  await tell();
  expect(told).toEqual([
    { audit_seq: 4, audit_hash: 'aa' },
    { audit_seq: 5, audit_hash: 'bb' },
  ]);
});
