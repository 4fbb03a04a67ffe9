import { createHash, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { isCertificate } from './read-authorities.ts';
import { readPem } from './read-pem.ts';

export interface TlsIdentityParts {
  /** Authorities (PEM) that alone are trusted, in place of those of the system and the operator. */
  readonly ca?: string | undefined;
  /** The client's certificate (PEM), its intermediates after it. */
  readonly cert?: string | undefined;
  /** Its private key (PEM), not encrypted. */
  readonly key?: string | undefined;
}

/** Which part is wrong, and how: may be shown to whoever gave it. */
export interface TlsIdentityFault {
  readonly part: 'ca' | 'cert' | 'key';
  readonly detail: string;
}

export type TlsIdentityCheck =
  | { readonly ok: true; readonly identity: TlsIdentity }
  | ({ readonly ok: false } & TlsIdentityFault);

export const MAX_CERTIFICATES_CHARACTERS = 65_536;
export const MAX_PRIVATE_KEY_CHARACTERS = 16_384;
const MAX_CERTIFICATES = 32;
const LEAST_RSA_BITS = 2_048;
/** A handshake signs in the event loop: 4,096 bits take 3 ms, 16,384 bits a fifth of a second. */
const MOST_RSA_BITS = 4_096;
const CURVES: ReadonlySet<string> = new Set(['prime256v1', 'secp384r1', 'secp521r1']);
/** RFC 1421 section 4.6.1.1, as OpenSSL still writes it into `RSA PRIVATE KEY` blocks. */
const TRADITIONALLY_ENCRYPTED = 'Proc-Type: 4,ENCRYPTED';

/**
 * Whom we trust and who we are in TLS with one receiver. Only `createTlsIdentity` makes these. The PEM texts are private
 * members, so that no log, no trace and no JSON has a key by accident.
 */
export class TlsIdentity {
  /** The same for the same parts, and tells nothing of them: the key of pools and caches. */
  readonly id: string;
  readonly #parts: TlsIdentityParts;

  constructor(parts: TlsIdentityParts) {
    const { ca = '', cert = '', key = '' } = parts;
    this.id = createHash('sha256')
      .update(JSON.stringify([ca, cert, key]))
      .digest('base64url');
    this.#parts = parts;
  }

  read(): TlsIdentityParts {
    return this.#parts;
  }
}

/** Checks all of it, so that what passes makes a context later. Never throws. */
export function createTlsIdentity(parts: TlsIdentityParts): TlsIdentityCheck {
  const fault =
    (parts.ca === undefined ? null : faultOfCertificates('ca', parts.ca)) ??
    (parts.cert === undefined ? null : faultOfCertificates('cert', parts.cert)) ??
    faultOfPair(parts) ??
    faultOfContext(parts);
  return fault === null ? { ok: true, identity: new TlsIdentity(parts) } : { ok: false, ...fault };
}

function faultOfCertificates(part: 'ca' | 'cert', text: string): TlsIdentityFault | null {
  const fault = (detail: string): TlsIdentityFault => ({ part, detail });
  if (text.length > MAX_CERTIFICATES_CHARACTERS) return fault('is too long');
  const blocks = readPem(text);
  if (blocks === null || blocks.length === 0) return fault('is not PEM');
  if (blocks.some(({ label }) => label.endsWith('PRIVATE KEY')))
    return fault('has a private key among its certificates');
  if (blocks.some(({ label }) => label !== 'CERTIFICATE'))
    return fault('has something else than certificates');
  if (blocks.length > MAX_CERTIFICATES) return fault(`has more than ${MAX_CERTIFICATES} certificates`);
  return blocks.every(({ pem }) => isCertificate(pem))
    ? null
    : fault('has a certificate that cannot be read');
}

function faultOfPair({ cert, key }: TlsIdentityParts): TlsIdentityFault | null {
  if (cert === undefined && key === undefined) return null;
  if (key === undefined)
    return { part: 'key', detail: 'is missing: the certificate is of no use without it' };
  if (cert === undefined)
    return { part: 'cert', detail: 'is missing: the private key is of no use without it' };
  const parsed = parseKey(key);
  if (typeof parsed === 'string') return { part: 'key', detail: parsed };
  const detail = faultOfAlgorithm(parsed);
  if (detail !== null) return { part: 'key', detail };
  const leaf = new X509Certificate(readPem(cert)![0]!.pem);
  return leaf.checkPrivateKey(parsed) ? null : { part: 'key', detail: 'is not the key of the certificate' };
}

/** What OpenSSL still finds wrong, such as a digest that is too weak. */
function faultOfContext({ ca, cert, key }: TlsIdentityParts): TlsIdentityFault | null {
  try {
    createSecureContext({
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert, key }),
    });
    return null;
  } catch {
    return { part: cert === undefined ? 'ca' : 'cert', detail: 'is not accepted by TLS' };
  }
}

/** The key, or what is wrong with it. */
function parseKey(text: string): KeyObject | string {
  if (text.length > MAX_PRIVATE_KEY_CHARACTERS) return 'is too long';
  // `openssl ecparam -genkey` writes the curve before the key.
  const blocks = readPem(text)?.filter(({ label }) => label !== 'EC PARAMETERS');
  if (blocks?.length !== 1 || !blocks[0]!.label.endsWith('PRIVATE KEY'))
    return 'is not one private key in PEM';
  const { label, pem } = blocks[0]!;
  if (label.startsWith('ENCRYPTED') || pem.includes(TRADITIONALLY_ENCRYPTED)) {
    return 'is encrypted: give it without a passphrase';
  }
  try {
    return createPrivateKey(pem);
  } catch {
    return 'cannot be read';
  }
}

function faultOfAlgorithm({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string | null {
  if (asymmetricKeyType === 'ed25519') return null;
  if (asymmetricKeyType === 'ec') {
    return CURVES.has(asymmetricKeyDetails?.namedCurve ?? '')
      ? null
      : 'is on another curve than P-256, P-384 or P-521';
  }
  if (asymmetricKeyType !== 'rsa') return 'is of another kind than RSA, ECDSA or Ed25519';
  const bits = asymmetricKeyDetails?.modulusLength ?? 0;
  const isFit = bits >= LEAST_RSA_BITS && bits <= MOST_RSA_BITS;
  return isFit ? null : `is an RSA key of ${bits} bits: ${LEAST_RSA_BITS} to ${MOST_RSA_BITS} are taken`;
}
