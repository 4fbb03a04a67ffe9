import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** What a TLS client shows and trusts, as PEM. Without `ca` it trusts what the system trusts. */
export interface ClientTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** A configuration key and the path in it; an empty path stands for no file. */
export interface PemFile {
  readonly env: string;
  readonly path: string;
}

export interface PemFiles {
  readonly ca: PemFile;
  readonly cert: PemFile;
  readonly key: PemFile;
}

export const PEM_FILE = 'the path of a PEM file';

/** Read once, at the start: a service that could not connect says so then, with the key that is wrong. */
export function readClientTls(files: PemFiles, now: Date, faults: string[]): ClientTls {
  const ca = read(files.ca, faults, checkCertificates);
  const cert = read(files.cert, faults, (pem) => checkOwn(pem, now));
  const key = read(files.key, faults, checkKey);
  if (files.cert.path !== '' && files.key.path === '')
    faults.push(`${files.key.env} is missing: ${files.cert.env} needs its private key`);
  if (files.key.path !== '' && files.cert.path === '')
    faults.push(`${files.cert.env} is missing: ${files.key.env} needs its certificate`);
  if (cert && key && !new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
    faults.push(`${files.key.env}=${files.key.path}: is not the key of the certificate in ${files.cert.env}`);
  return { ...(ca ? { ca } : {}), ...(cert ? { cert } : {}), ...(key ? { key } : {}) };
}

/** Where TLS is off: whoever names files believes that the connection is secured. @param remedy the setting, and what to set. */
export function refuseFiles(files: PemFiles, remedy: string, faults: string[]): void {
  for (const { env, path } of Object.values(files))
    if (path !== '') faults.push(`${env} is set, but ${remedy}, or leave ${env} out`);
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

function read({ env, path }: PemFile, faults: string[], check: (pem: string) => void): string | undefined {
  if (path === '') return undefined;
  let pem: string;
  try {
    pem = readFileSync(path, 'utf8');
  } catch (error) {
    faults.push(`${env}=${path}: cannot be read (${(error as NodeJS.ErrnoException).code})`);
    return undefined;
  }
  try {
    check(pem);
    return pem;
  } catch (error) {
    // The words of the crypto library are for those who know its sources.
    const why = error instanceof PemFault ? error.message : 'is not valid PEM';
    faults.push(`${env}=${path}: ${why}`);
    return undefined;
  }
}

class PemFault extends Error {}

function checkKey(pem: string): void {
  if (pem.includes('ENCRYPTED')) throw new PemFault('the key is encrypted: give it without a passphrase');
  createPrivateKey(pem);
}

function checkCertificates(pem: string): void {
  const blocks = pem.match(CERTIFICATE) ?? [];
  if (blocks.length === 0) throw new PemFault('holds no certificate in PEM form');
  for (const block of blocks) new X509Certificate(block);
}

function checkOwn(pem: string, now: Date): void {
  checkCertificates(pem);
  const { validTo } = new X509Certificate(pem);
  if (new Date(validTo) <= now) throw new PemFault(`the certificate expired on ${validTo}: renew it`);
}
