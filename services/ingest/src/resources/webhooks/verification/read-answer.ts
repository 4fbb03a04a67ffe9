import { MAX_PER_SEC } from '../fields.ts';

/** What receivers answer to a handshake: other people's bytes, read within bounds. */

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/**
 * Whether the body is the challenge, as text, or a JSON object whose `challenge` it is. Nothing less: a page that shows
 * every request it gets would repeat it somewhere; and not with the message's own `type`: a server that sends back
 * what it is sent has agreed to nothing.
 */
export function echoes(body: Buffer, challenge: string): boolean {
  const text = body.toString('utf8').trim();
  if (text === challenge) return true;
  if (!text.startsWith('{')) return false;
  try {
    const answer: unknown = JSON.parse(text);
    if (typeof answer !== 'object' || answer === null || !Object.hasOwn(answer, 'challenge')) return false;
    return (answer as { challenge: unknown }).challenge === challenge && !Object.hasOwn(answer, 'type');
  } catch {
    return false;
  }
}

export interface CloudEventsAnswer {
  readonly isAllowed: boolean;
  /** Null for `*`, for none, and for what cannot be read. */
  readonly maxPerSec: number | null;
}

const MAX_ORIGINS = 32;
const SECONDS_PER_MINUTE = 60;
const RATE_PER_MINUTE = /^[1-9]\d{0,8}$/;

/** HTTP 1.1 Web Hooks for Event Delivery (CloudEvents 1.0), section 4.2: who may send, and how many a minute. */
export function readCloudEventsAnswer(headers: Headers, origin: string): CloudEventsAnswer {
  const allowed = one(headers['webhook-allowed-origin']).split(',', MAX_ORIGINS);
  const isAllowed = allowed.some((each) => ['*', origin.toLowerCase()].includes(each.trim().toLowerCase()));
  const rate = one(headers['webhook-allowed-rate']).trim();
  return { isAllowed, maxPerSec: RATE_PER_MINUTE.test(rate) ? toMaxPerSec(Number(rate)) : null };
}

/** What is beyond either limit that an endpoint can have is that limit: one a second at least. */
const toMaxPerSec = (perMinute: number): number =>
  Math.min(Math.max(1, Math.floor(perMinute / SECONDS_PER_MINUTE)), MAX_PER_SEC);

const one = (value: string | string[] | undefined): string =>
  Array.isArray(value) ? value.join(',') : (value ?? '');
