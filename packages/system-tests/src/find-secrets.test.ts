import { expect, test } from 'vitest';
import { findSecrets } from './find-secrets.ts';

const SECRET = 'canary/of-a-secret+1';
const found = (text: string) => findSecrets(`before ${text} after`, { it: SECRET });

test.each([
  ['plain', SECRET],
  ['percent-encoded', encodeURIComponent(SECRET)],
  ['hex', Buffer.from(SECRET).toString('hex')],
  ['base64 at 0', Buffer.from(`abc${SECRET}`).toString('base64url')],
  ['base64 at 1', Buffer.from(`a${SECRET}bc`).toString('base64url')],
  ['base64 at 2', Buffer.from(`user:${SECRET}`).toString('base64url')],
])('a secret is found %s', (spelling, text) => {
  expect(found(text)).toContain(`it (${spelling})`);
});

test('what is no secret is not found', () => {
  expect(found('canary/of-another+1')).toEqual([]);
});
