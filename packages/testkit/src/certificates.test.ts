import { createPrivateKey, X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { createAuthority } from './certificates.ts';

test('an authority issues certificates for names and addresses, with the keys that go with them', () => {
  const authority = createAuthority();
  const issued = authority.issue({
    name: 'broker',
    names: ['localhost', 'kafka.example'],
    addresses: ['127.0.0.1', '::1', '2001:db8::7:8'],
  });
  const root = new X509Certificate(authority.certificate);
  const certificate = new X509Certificate(issued.certificate);
  expect(root.ca).toBe(true);
  expect(certificate.ca).toBe(false);
  expect(certificate.subject).toBe('CN=broker');
  expect(certificate.verify(root.publicKey)).toBe(true);
  expect(certificate.checkIssued(root)).toBe(true);
  expect(certificate.checkPrivateKey(createPrivateKey(issued.key))).toBe(true);
  expect(certificate.checkHost('kafka.example')).toBe('kafka.example');
  for (const address of ['127.0.0.1', '::1', '2001:db8::7:8'])
    expect(certificate.checkIP(address), address).toBe(address);
});

test('what one authority issued is not of another with the same name', () => {
  const [one, other] = [createAuthority(), createAuthority()];
  const certificate = new X509Certificate(one.issue({ name: 'client' }).certificate);
  expect(certificate.verify(new X509Certificate(other.certificate).publicKey)).toBe(false);
});

test('a certificate is valid for the time that is asked for', () => {
  const validFrom = new Date('2020-01-01T00:00:00Z');
  const validTo = new Date('2020-02-01T00:00:00Z');
  const issued = createAuthority().issue({ name: 'old', validFrom, validTo });
  const certificate = new X509Certificate(issued.certificate);
  expect(new Date(certificate.validFrom)).toEqual(validFrom);
  expect(new Date(certificate.validTo)).toEqual(validTo);
});
