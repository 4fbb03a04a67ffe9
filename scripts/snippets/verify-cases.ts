import { readText } from '../checks/repository.ts';

interface Vector {
  readonly name: string;
  readonly keys: readonly string[];
  readonly now: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
  readonly header_prefix?: string;
  readonly result: string;
}

export interface VerifyCase {
  readonly name: string;
  /** What the drivers read: secret, id, timestamp, signatures and body in base64 (`-` for nothing), then the time. */
  readonly line: string;
  readonly isValid: boolean;
}

const FILES = ['packages/signing/vectors/posthorn.json', 'packages/signing/vectors/standard-webhooks.json'];
const NAMES = ['webhook-id', 'webhook-timestamp', 'webhook-signature'];
/** Bounds of the package's own, which a few lines to be copied leave to the server's bound on headers. */
const LIMITS = new Set(['too_many_signatures', 'header_too_large']);
const KEY_OF_PAIR = /^wh[sp]k_/;

/** The vectors that a function of one secret and three headers can be asked. */
export const verifyCases = (): VerifyCase[] =>
  FILES.flatMap((file) => (JSON.parse(readText(file)) as { verify: Vector[] }).verify)
    .filter(isAskable)
    .map(({ name, keys, headers, body, now, result }) => ({
      name,
      line: [keys[0]!, ...NAMES.map((header) => String(headers[header])), body]
        .map((text) => Buffer.from(text).toString('base64') || '-')
        .concat(String(now))
        .join(' '),
      isValid: result === 'ok',
    }));

function isAskable({ keys, headers, header_prefix: prefix, result }: Vector): boolean {
  const values = NAMES.map((name) => headers[name]);
  return (
    keys.length === 1 &&
    !KEY_OF_PAIR.test(keys[0]!) &&
    prefix === undefined &&
    !LIMITS.has(result) &&
    result !== 'invalid_secret' &&
    Object.keys(headers).every((name) => name === name.toLowerCase()) &&
    // No server gives a header with a NUL to anybody.
    values.every((value) => typeof value === 'string' && !value.includes('\0'))
  );
}
