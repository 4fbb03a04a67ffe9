import type { SendResult } from '@posthorn/egress';
import type { Clock, Logger } from '@posthorn/runtime';
import { readTokenReply, type TokenReply } from './read-token.ts';
import type { TokenGrant } from './token-grant.ts';

export interface Token {
  /** As it is sent. */
  readonly authorization: string;
}

export type TokenAnswer =
  | { readonly ok: true; readonly token: Token }
  /** In words for the tenant. */
  | { readonly ok: false; readonly detail: string };

/** Access tokens of endpoints: asked for when they are needed, held until shortly before they expire. */
export interface Tokens {
  /** Waits no longer than `waitMs`. */
  get(grant: TokenGrant, waitMs: number): Promise<TokenAnswer>;
  /** The receiver refused this one: another, or null where asking for one would be in vain. */
  renew(grant: TokenGrant, refused: Token, waitMs: number): Promise<Token | null>;
  /** The receiver took this one. */
  taken(grant: TokenGrant, token: Token): void;
  stats(): TokensStats;
}

export interface TokensStats {
  readonly entries: number;
  readonly asking: number;
  readonly evicted: number;
}

export interface TokensOptions {
  ask(request: TokenGrant['request']): Promise<SendResult>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Endpoints whose tokens are held; beyond it the least recently used are forgotten. */
  readonly maxTokens: number;
  readonly onAsked: (outcome: TokenReply['kind']) => void;
}

/** Of its lifetime a token is not used for the last fifth, and at most for the last half minute. */
const SKEW_SHARE = 0.2;
const MAX_SKEW_MS = 30_000;
/** Whatever its server says of its lifetime: so often a token is asked for at most. */
const LEAST_FRESH_MS = 1_000;
const FIRST_WAIT_MS = 1_000;
const MAX_WAIT_MS = 60_000;
const MAX_RENEWAL_WAIT_MS = 300_000;

/**
 * What is known of one endpoint's token. Modes: *empty*; *asking* (one request is under way, for whoever needs it); *held*
 * (fresh, then good: used while another is asked for); *waiting* (the server failed: nobody asks until `askAtMs`). A
 * receiver that refuses token after token makes `renewAtMs` move away, so that it costs its server few requests.
 */
interface Entry {
  held: Held | null;
  asking: Promise<TokenAnswer> | null;
  failures: number;
  failure: TokenAnswer;
  askAtMs: number;
  renewals: number;
  renewAtMs: number;
}

interface Held extends Token {
  readonly freshUntilMs: number;
  readonly goodUntilMs: number;
}

export function createTokens(options: TokensOptions): Tokens {
  const { clock, maxTokens } = options;
  const entries = new Map<string, Entry>();
  let evicted = 0;

  function entryOf({ key }: TokenGrant): Entry {
    const entry = entries.get(key) ?? emptyEntry();
    // The last of the map is the one used last.
    entries.delete(key);
    entries.set(key, entry);
    if (entries.size > maxTokens) {
      entries.delete(entries.keys().next().value!);
      evicted++;
    }
    return entry;
  }

  async function ask(entry: Entry, grant: TokenGrant): Promise<TokenAnswer> {
    const askedAtMs = clock.monotonicMs();
    const reply = await askOnce(options, grant);
    entry.asking = null;
    options.onAsked(reply.kind);
    if (reply.kind === 'granted') return hold(entry, reply, askedAtMs);
    note(options, grant, reply.detail);
    return putOff(entry, reply, clock.monotonicMs());
  }

  function current(entry: Entry, grant: TokenGrant): TokenAnswer | Promise<TokenAnswer> {
    const nowMs = clock.monotonicMs();
    const { held } = entry;
    if (held !== null && nowMs < held.freshUntilMs) return { ok: true, token: held };
    if (entry.asking === null && nowMs >= entry.askAtMs) entry.asking = ask(entry, grant);
    if (held !== null && nowMs < held.goodUntilMs) return { ok: true, token: held };
    return entry.asking ?? entry.failure;
  }

  return {
    async get(grant, waitMs) {
      const answer = current(entryOf(grant), grant);
      return answer instanceof Promise ? within(answer, waitMs) : answer;
    },
    async renew(grant, refused, waitMs) {
      const entry = entryOf(grant);
      const nowMs = clock.monotonicMs();
      if (entry.held === refused) {
        if (nowMs < entry.renewAtMs) return null;
        entry.renewals++;
        entry.renewAtMs = nowMs + waitAfter(entry.renewals, MAX_RENEWAL_WAIT_MS);
        entry.held = null;
      }
      const answer = await within(Promise.resolve(current(entry, grant)), waitMs);
      return answer.ok && answer.token.authorization !== refused.authorization ? answer.token : null;
    },
    taken({ key }, token) {
      const entry = entries.get(key);
      if (entry === undefined || entry.renewals === 0 || entry.held !== token) return;
      entry.renewals = 0;
      entry.renewAtMs = 0;
    },
    stats: () => ({
      entries: entries.size,
      asking: [...entries.values()].filter(({ asking }) => asking !== null).length,
      evicted,
    }),
  };
}

const emptyEntry = (): Entry => ({
  held: null,
  asking: null,
  failures: 0,
  failure: NO_ANSWER,
  askAtMs: Number.NEGATIVE_INFINITY,
  renewals: 0,
  renewAtMs: 0,
});

const failure = (detail: string): TokenAnswer => ({ ok: false, detail: `token endpoint: ${detail}` });
const NO_ANSWER = failure('no complete response within the deadline');

/** Never rejects: what breaks off here is a failure like others, so that it is not asked again at once. */
async function askOnce({ ask, clock, log }: TokensOptions, grant: TokenGrant): Promise<TokenReply> {
  try {
    return readTokenReply(await ask(grant.request), clock.nowMs());
  } catch (error) {
    log.error({ webhook_id: grant.endpointId, err: error }, 'token request broke off');
    return { kind: 'unreachable', detail: 'the request could not be made', retryAfterMs: null };
  }
}

function hold(entry: Entry, reply: TokenReply & { kind: 'granted' }, askedAtMs: number): TokenAnswer {
  const { authorization, lifetimeMs } = reply;
  const skewMs = Math.min(lifetimeMs * SKEW_SHARE, MAX_SKEW_MS);
  const freshMs = Math.max(lifetimeMs - skewMs, LEAST_FRESH_MS);
  const held = {
    authorization,
    freshUntilMs: askedAtMs + freshMs,
    goodUntilMs: askedAtMs + Math.max(lifetimeMs, freshMs),
  };
  Object.assign(entry, { held, failures: 0, askAtMs: Number.NEGATIVE_INFINITY });
  return { ok: true, token: held };
}

function putOff(entry: Entry, reply: Exclude<TokenReply, { kind: 'granted' }>, nowMs: number): TokenAnswer {
  entry.failures++;
  const askedMs = Math.min(reply.retryAfterMs ?? 0, MAX_WAIT_MS);
  entry.askAtMs = nowMs + Math.max(waitAfter(entry.failures, MAX_WAIT_MS), askedMs);
  entry.failure = failure(reply.detail);
  return entry.failure;
}

const waitAfter = (times: number, mostMs: number): number =>
  Math.min(FIRST_WAIT_MS * 2 ** Math.min(times - 1, 20), mostMs);

function note({ log }: TokensOptions, { tenantId, endpointId }: TokenGrant, reason: string): void {
  log.warn({ tenant_id: tenantId, webhook_id: endpointId, reason }, 'no token for an endpoint');
}

/** The attempt's deadline ends its waiting, not the request that others wait for. */
async function within(answer: Promise<TokenAnswer>, waitMs: number): Promise<TokenAnswer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<TokenAnswer>((resolve) => {
    timer = setTimeout(resolve, waitMs, NO_ANSWER);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
