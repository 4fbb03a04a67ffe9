import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readPem } from './read-pem.ts';

/** The certificates of the operator's file; of no path, none. @throws {Error} saying what is wrong with it. */
export function readAuthorities(path: string): readonly string[] {
  if (path === '') return [];
  const blocks = readPem(readFileSync(path, 'utf8'));
  const certificates = blocks?.filter(({ label }) => label === 'CERTIFICATE').map(({ pem }) => pem) ?? [];
  if (certificates.length === 0) throw new Error('it has no certificate in PEM');
  for (const [index, pem] of certificates.entries()) {
    if (!isCertificate(pem)) throw new Error(`its certificate ${index + 1} cannot be read`);
  }
  return Object.freeze(certificates);
}

export function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem) !== null;
  } catch {
    return false;
  }
}
