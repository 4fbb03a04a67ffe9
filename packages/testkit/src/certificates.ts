import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIPv6 } from 'node:net';

/** PEM: what servers and clients are configured with. The key is PKCS #8, the one form that Java reads too. */
export interface Identity {
  readonly certificate: string;
  readonly key: string;
}

export interface Subject {
  /** The common name: what brokers and databases know a client by. */
  readonly name: string;
  /** DNS names of a server. */
  readonly names?: readonly string[];
  /** IP addresses of a server. */
  readonly addresses?: readonly string[];
  readonly validFrom?: Date;
  readonly validTo?: Date;
}

/** Whoever trusts its certificate trusts what it issues. */
export interface Authority {
  readonly certificate: string;
  issue(subject: Subject): Identity;
}

const DAY_MS = 86_400_000;
const VALID_DAYS = 30;

/**
 * Certificates for one test run, made in this process: tests need no openssl, and no key lies in the repository. X.509
 * version 3 (RFC 5280), keys on P-256, signed with ECDSA and SHA-256.
 */
export function createAuthority(options: { readonly name?: string } = {}): Authority {
  const name = options.name ?? 'Posthorn test authority';
  const { privateKey, publicKey } = newKey();
  const issuer = { name, key: privateKey, keyId: keyId(publicKey) };
  return {
    certificate: certify(issuer, { name, names: [], addresses: [] }, publicKey, true),
    issue(subject) {
      const own = newKey();
      return {
        certificate: certify(issuer, subject, own.publicKey, false),
        key: own.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      };
    },
  };
}

const newKey = () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' });

const OID = {
  commonName: '2.5.4.3',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  subjectKeyIdentifier: '2.5.29.14',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
} as const;
/** RFC 5280, 4.2.1.3: the first bit is digitalSignature, the sixth and seventh are keyCertSign and cRLSign. */
const KEY_USAGE = { authority: [1, 0b0000_0110], subject: [7, 0b1000_0000] } as const;

function certify(
  issuer: { name: string; key: KeyObject; keyId: Buffer },
  subject: Subject,
  publicKey: KeyObject,
  isAuthority: boolean,
): string {
  const algorithm = sequence(oid(OID.ecdsaWithSha256));
  const now = Date.now();
  const { validFrom = new Date(now - DAY_MS), validTo = new Date(now + VALID_DAYS * DAY_MS) } = subject;
  const body = sequence(
    tagged(0, integer([2])),
    integer([0x01, ...randomBytes(15)]),
    algorithm,
    distinguishedName(issuer.name),
    sequence(time(validFrom), time(validTo)),
    distinguishedName(subject.name),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(3, sequence(...extensions(subject, isAuthority), ...keyIds(publicKey, issuer.keyId))),
  );
  const signature = sign('sha256', body, issuer.key);
  const der = sequence(body, algorithm, bitString(0, signature));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function extensions({ names = [], addresses = [] }: Subject, isAuthority: boolean): Buffer[] {
  const [unusedBits, bits] = isAuthority ? KEY_USAGE.authority : KEY_USAGE.subject;
  const alternatives = [
    ...names.map((name) => encode(0x82, Buffer.from(name))),
    ...addresses.map((address) => encode(0x87, addressBytes(address))),
  ];
  return [
    extension(OID.basicConstraints, true, isAuthority ? sequence(encode(0x01, Buffer.of(0xff))) : sequence()),
    extension(OID.keyUsage, true, bitString(unusedBits, Buffer.of(bits))),
    ...(alternatives.length > 0 ? [extension(OID.subjectAltName, false, sequence(...alternatives))] : []),
  ];
}

/** By which a chain is found where two authorities have the same name. */
const keyIds = (publicKey: KeyObject, issuerId: Buffer): Buffer[] => [
  extension(OID.subjectKeyIdentifier, false, encode(0x04, keyId(publicKey))),
  extension(OID.authorityKeyIdentifier, false, sequence(encode(0x80, issuerId))),
];

const keyId = (publicKey: KeyObject): Buffer =>
  createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest()
    .subarray(0, 20);

function addressBytes(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail] = address.split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':').map((group) => parseInt(group, 16)));
  const [before, after] = [groups(head), groups(tail ?? '')];
  const all = [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

/** DER (X.690): tag, length, content. */
function encode(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...size), content]);
}

const sequence = (...parts: Buffer[]): Buffer => encode(0x30, Buffer.concat(parts));
const tagged = (number: number, content: Buffer): Buffer => encode(0xa0 + number, content);
const integer = (bytes: number[]): Buffer => encode(0x02, Buffer.from(bytes));
const bitString = (unusedBits: number, bytes: Buffer): Buffer =>
  encode(0x03, Buffer.concat([Buffer.of(unusedBits), bytes]));
const extension = (id: string, isCritical: boolean, content: Buffer): Buffer =>
  sequence(oid(id), ...(isCritical ? [encode(0x01, Buffer.of(0xff))] : []), encode(0x04, content));
const distinguishedName = (name: string): Buffer =>
  sequence(encode(0x31, sequence(oid(OID.commonName), encode(0x0c, Buffer.from(name)))));
/** With two digits of the year, as is due until 2049. */
const time = (at: Date): Buffer =>
  encode(0x17, Buffer.from(`${at.toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`));

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = rest.flatMap((part) => {
    const groups = [part & 0x7f];
    for (let left = part >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80);
    return groups;
  });
  return encode(0x06, Buffer.from([first * 40 + second, ...bytes]));
}
