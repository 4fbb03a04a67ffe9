import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { databaseOptions, type Environment, kafkaConnection } from '@posthorn/runtime';
import { createAuthority } from '@posthorn/testkit';
import { afterAll, describe, expect, test } from 'vitest';
import { readServiceConfig } from '../src/config.ts';

const folder = mkdtempSync(join(tmpdir(), 'posthorn-options-'));
afterAll(() => rmSync(folder, { recursive: true }));

function put(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

const NOW = new Date('2026-06-01T00:00:00Z');
const at = (day: string) => new Date(`${day}T00:00:00Z`);
const authority = createAuthority();
const own = authority.issue({ name: 'own', validFrom: at('2026-01-01'), validTo: at('2027-01-01') });
const old = authority.issue({ name: 'old', validFrom: at('2026-01-01'), validTo: at('2026-05-31') });
const encrypted = generateKeyPairSync('ec', {
  namedCurve: 'prime256v1',
  privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const files = {
  ca: put('ca.pem', `two of them\n${authority.certificate}${createAuthority().certificate}`),
  cert: put('own.pem', own.certificate),
  key: put('own.key', own.key),
  oldCert: put('old.pem', old.certificate),
  oldKey: put('old.key', old.key),
  encrypted: put('encrypted.key', encrypted.privateKey),
  empty: put('empty.pem', ''),
  garbage: put('garbage.pem', own.certificate.replace(/\n[^\n]+\n/, '\n')),
  missing: join(folder, 'missing.pem'),
};

const kafka = (environment: Environment) => kafkaConnection(readServiceConfig(environment), 'test', NOW);
const database = (environment: Environment) => databaseOptions(readServiceConfig(environment), 'test', NOW);
const withTls = (environment: Environment) => kafka({ KAFKA_TLS: 'on', ...environment });

describe('a connection to Kafka', () => {
  test('is in plain text and under no name unless it is told otherwise', () => {
    expect(kafka({ KAFKA_BROKERS: 'a:1, b:2' })).toEqual({
      brokers: ['a:1', 'b:2'],
      clientId: 'test',
      explain: expect.any(Function),
    });
  });

  test('has what its files hold, and a name and a password', () => {
    const made = withTls({
      KAFKA_CA_FILE: files.ca,
      KAFKA_CERT_FILE: files.cert,
      KAFKA_KEY_FILE: files.key,
      KAFKA_SASL_MECHANISM: 'scram-sha-512',
      KAFKA_SASL_USERNAME: 'me',
      KAFKA_SASL_PASSWORD: 'secret',
    });
    expect(made.ssl).toEqual({
      ca: expect.stringContaining(authority.certificate),
      cert: own.certificate,
      key: own.key,
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true,
    });
    expect(made.sasl).toEqual({ mechanism: 'scram-sha-512', username: 'me', password: 'secret' });
  });

  test.each<[string, Environment, string]>([
    ['a file that is missing', { KAFKA_CA_FILE: files.missing }, 'cannot be read (ENOENT)'],
    ['a file without a certificate', { KAFKA_CA_FILE: files.empty }, 'holds no certificate in PEM form'],
    ['a file that is no PEM', { KAFKA_CA_FILE: files.garbage }, 'is not valid PEM'],
    ['a certificate without its key', { KAFKA_CERT_FILE: files.cert }, 'KAFKA_KEY_FILE is missing'],
    ['a key without its certificate', { KAFKA_KEY_FILE: files.key }, 'KAFKA_CERT_FILE is missing'],
    [
      'the key of another certificate',
      { KAFKA_CERT_FILE: files.cert, KAFKA_KEY_FILE: files.oldKey },
      'is not the key of the certificate in KAFKA_CERT_FILE',
    ],
    [
      'an encrypted key',
      { KAFKA_CERT_FILE: files.cert, KAFKA_KEY_FILE: files.encrypted },
      'the key is encrypted: give it without a passphrase',
    ],
    [
      'a certificate of its own that has expired',
      { KAFKA_CERT_FILE: files.oldCert, KAFKA_KEY_FILE: files.oldKey },
      'the certificate expired on May 31',
    ],
    ['a mechanism without a name', { KAFKA_SASL_MECHANISM: 'plain' }, 'KAFKA_SASL_USERNAME is missing'],
    [
      'a name without a mechanism',
      { KAFKA_SASL_USERNAME: 'me', KAFKA_SASL_PASSWORD: 'secret' },
      'but KAFKA_SASL_MECHANISM=none',
    ],
  ])('is refused for %s', (_, environment, why) => {
    expect(() => withTls(environment)).toThrow(why);
  });

  test('is refused for files that would not be used', () => {
    expect(() => kafka({ KAFKA_CA_FILE: files.ca })).toThrow('KAFKA_CA_FILE is set, but KAFKA_TLS=off');
  });

  test('shows no password in plain text unless that is asked for', () => {
    const plain = { KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_USERNAME: 'me', KAFKA_SASL_PASSWORD: 'canary' };
    expect(() => kafka(plain)).toThrow('shows the password to everybody on the way');
    expect(() => kafka(plain)).not.toThrow('canary');
    expect(kafka({ ...plain, KAFKA_PLAIN_WITHOUT_TLS: 'true' }).sasl?.mechanism).toBe('plain');
    expect(kafka({ ...plain, KAFKA_SASL_MECHANISM: 'scram-sha-256' }).sasl?.mechanism).toBe('scram-sha-256');
  });
});

describe('a connection to Postgres', () => {
  const URL_TEXT = 'postgres://me:canary@db.example:5432/posthorn';
  const verified = { verify: true, explain: expect.any(Function) };

  test.each([
    ['', null],
    ['?sslmode=disable', null],
    ['?sslmode=require', { ...verified, verify: false }],
    ['?sslmode=verify-ca', verified],
    ['?sslmode=verify-full', verified],
    ['?ssl=true', verified],
    ['?sslrootcert=system', verified],
  ])('does what %j in its URL says, which the server is not told', (query, tls) => {
    const made = database({ DATABASE_URL: `${URL_TEXT}${query}` });
    expect(made).toMatchObject({ url: URL_TEXT, tls });
  });

  test('does what its own key says, whatever is in the URL; other parameters stay', () => {
    const environment = {
      DATABASE_URL: `${URL_TEXT}?sslmode=disable&search_path=x`,
      DATABASE_TLS: 'verify-full',
    };
    expect(database(environment)).toMatchObject({ url: `${URL_TEXT}?search_path=x`, tls: verified });
    expect(database({ DATABASE_URL: `${URL_TEXT}?sslmode=require`, DATABASE_TLS: 'off' }).tls).toBeNull();
  });

  test.each([
    ['?sslmode=prefer', {}, 'prefer and allow fall back to plain text'],
    ['?sslmode=allow', {}, 'prefer and allow fall back to plain text'],
    ['?sslmode=verify-full&sslrootcert=/x.pem', {}, 'set DATABASE_CA_FILE'],
    ['?sslmode=verify-full&sslcert=/x.pem', {}, 'set DATABASE_CERT_FILE and DATABASE_KEY_FILE'],
    ['', { DATABASE_CA_FILE: files.ca }, 'DATABASE_CA_FILE is set, but TLS is off'],
    ['?sslmode=require', { DATABASE_CA_FILE: files.ca }, 'DATABASE_TLS=require checks no certificate'],
    ['', { DATABASE_TLS: 'verify-full', DATABASE_CA_FILE: files.missing }, 'cannot be read (ENOENT)'],
  ])('is refused for %j with %j', (query, environment, why) => {
    const given = { DATABASE_URL: `${URL_TEXT}${query}`, ...environment };
    expect(() => database(given)).toThrow(why);
    expect(() => database(given)).not.toThrow('canary');
  });

  test.each([
    'postgres://me:canary%ZZ@db.example/posthorn',
    'postgres://me:canary/x@db.example/posthorn',
    'postgres://me:canary@db.example:port/posthorn',
    'http://me:canary@db.example/posthorn',
  ])('is refused before the driver sees a URL that it would quote: %j', (url) => {
    const read = () => readServiceConfig({ DATABASE_URL: url });
    expect(read).toThrow('DATABASE_URL=(redacted)');
    expect(read).not.toThrow('canary');
  });

  test.each([
    'postgres://me:a%2Cb%25c%40@db.example/posthorn',
    'postgres://me:a,b@db.example/posthorn',
    'postgres://me:x@a.example:5432,b.example:5433/posthorn',
    'postgres:///posthorn?host=/var/run/postgresql',
    'postgresql://me@[::1]:5432/posthorn',
  ])('may be to %j', (url) => {
    expect(database({ DATABASE_URL: url }).url).toContain(url.split('?')[0]);
  });
});
