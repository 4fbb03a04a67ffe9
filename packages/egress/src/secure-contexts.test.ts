import { createAuthority } from '@posthorn/testkit';
import { expect, test } from 'vitest';
import { SecureContexts } from './secure-contexts.ts';
import { createTlsIdentity, type TlsIdentity } from './tls-identity.ts';

const authority = createAuthority();

function newIdentity(): TlsIdentity {
  const { certificate: cert, key } = authority.issue({ name: 'client' });
  const check = createTlsIdentity({ ca: authority.certificate, cert, key });
  if (!check.ok) throw new Error(check.detail);
  return check.identity;
}

test('all receivers without an identity of their own share one context', () => {
  const contexts = new SecureContexts([authority.certificate], 2);
  expect(contexts.of(undefined)).toBe(contexts.of(undefined));
  expect(contexts).toMatchObject({ made: 1, size: 0 });
});

test('each identity has one, and the least recently used is forgotten for want of room', () => {
  const contexts = new SecureContexts([], 2);
  const [one, two, three] = [newIdentity(), newIdentity(), newIdentity()];
  const first = contexts.of(one);
  contexts.of(two);
  expect(contexts.of(one)).toBe(first);
  contexts.of(three);
  expect(contexts).toMatchObject({ made: 3, size: 2 });
  expect(contexts.of(one)).toBe(first);
  contexts.of(two);
  expect(contexts).toMatchObject({ made: 4, size: 2 });
});
