import { generateSecret } from '@posthorn/signing';
import type { EndpointConfig } from '@posthorn/tenant-config';
import { expect, test } from 'vitest';
import { toCandidate } from './to-candidate.ts';

const NOW_MS = 1_800_000_000_000;
const OPTIONS = { headerPrefix: 'acme', nowMs: NOW_MS, messageId: 'message-1' };
const made = (over: Partial<EndpointConfig> = {}) =>
  toCandidate(
    {
      endpointId: 'ep_1',
      tenantId: 'customer-1',
      url: 'https://receiver.example/in',
      headers: [['x-team', 'billing']],
      secrets: [{ text: generateSecret(), expiresAtMs: null }],
      ...over,
    } as EndpointConfig,
    OPTIONS,
  );

test('a webhook is asked with its own headers, less those that are ours under the prefix in force', () => {
  const headers = [
    ['x-team', 'billing'],
    ['acme-signature', 'forged'],
  ] as const;
  expect(made({ headers })).toMatchObject({
    kind: 'ready',
    candidate: { headers: [['x-team', 'billing']], tls: undefined },
  });
});

test('one whose certificates are not usable is not asked without them', () => {
  expect(made({ tls: { ca: 'no PEM' } })).toEqual({
    kind: 'declined',
    detail: 'its certificates are not usable: ca is not PEM',
  });
});

test('one that nothing signs for is not asked', () => {
  const secrets = [{ text: generateSecret(), expiresAtMs: NOW_MS }];
  expect(made({ secrets })).toEqual({ kind: 'declined', detail: 'no secret of the webhook signs' });
});
