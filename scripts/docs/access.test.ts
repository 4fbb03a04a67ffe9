import { expect, test } from 'vitest';
import { accessPage } from './access.ts';

test('the table says of each role whether the operation is for it', () => {
  const read = { id: 'getThing', tag: 'Things', access: { scope: 'read', callers: ['operator', 'portal'] } };
  const open = { id: 'getHealth', tag: 'System', access: null };
  const page = accessPage({
    operations: [
      { method: 'GET', path: '/things/:id', operation: read },
      { method: 'GET', path: '/health', operation: open },
    ],
    included: {
      admin: ['admin', 'manage', 'read', 'ingest'],
      manage: ['manage', 'read'],
      read: ['read'],
      ingest: ['ingest'],
    },
  });
  expect(page).toContain('| `GET /things/:id` | yes | yes | yes | – | – | – | – | yes | yes |');
  expect(page).toContain('| `GET /health` (no key) | yes | yes | yes | yes | yes | yes | yes | yes | yes |');
});
