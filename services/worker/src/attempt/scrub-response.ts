import { REDACTED } from '@posthorn/contracts';
import type { SendResult, SentResponse } from '@posthorn/egress';

/** Texts that are not to be in the record, as the bytes they are sent as. */
export type Needles = readonly string[];

/** Shorter ones are found where nobody wrote a secret. */
const LEAST_SECRET_CHARS = 8;

/** Bytes as characters, so that what is not text stays what it is. */
const BYTES = 'latin1';

/** As they are, and as they stand in JSON; longer ones first, as they may have shorter ones in them. */
export function needlesOf(secrets: readonly string[]): Needles {
  const forms = secrets
    .filter(({ length }) => length >= LEAST_SECRET_CHARS)
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)])
    .map((form) => Buffer.from(form).toString(BYTES));
  return [...new Set(forms)].sort((a, b) => b.length - a.length);
}

/**
 * Receivers that answer with what they were sent put its secrets into the record: they are taken out of the answer where
 * they stand in it as they were sent. In another form (base64, reversed) they are not found.
 */
export function scrubResponse(sent: SendResult, needles: Needles): SendResult {
  if (sent.kind !== 'response' || needles.length === 0) return sent;
  return { ...sent, body: scrubBody(sent, needles), headers: scrubHeaders(sent.headers, needles) };
}

function scrubBody({ body, truncated }: SentResponse, needles: Needles): Buffer {
  const text = body.toString(BYTES);
  const found = needles.filter((needle) => text.includes(needle));
  const cut = truncated ? needles.reduce((most, needle) => Math.max(most, cutIn(text, needle)), 0) : 0;
  if (found.length === 0 && cut === 0) return body;
  const whole = cut === 0 ? text : text.slice(0, -cut) + REDACTED;
  return Buffer.from(scrubText(whole, found), BYTES);
}

/** How much of a secret stands at the end, where the rest of it was not read. */
function cutIn(text: string, needle: string): number {
  for (let length = Math.min(needle.length - 1, text.length); length >= LEAST_SECRET_CHARS; length--) {
    if (text.endsWith(needle.slice(0, length))) return length;
  }
  return 0;
}

function scrubHeaders(headers: SentResponse['headers'], needles: Needles): SentResponse['headers'] {
  // Names are the receiver's: `__proto__` is one too.
  const scrubbed: Record<string, string | string[]> = Object.create(null);
  for (const name in headers) {
    const value = headers[name]!;
    scrubbed[name] =
      typeof value === 'string' ? scrubText(value, needles) : value.map((each) => scrubText(each, needles));
  }
  return scrubbed;
}

const scrubText = (text: string, needles: Needles): string =>
  needles.reduce((rest, needle) => rest.replaceAll(needle, REDACTED), text);
