import type { EventMeta } from '@posthorn/contracts';
import { within } from '@posthorn/runtime';
import type { Lookup, TenantConfigs } from '@posthorn/tenant-config';

export interface FindConfigOptions {
  readonly configs: Pick<TenantConfigs, 'peek' | 'get'>;
  readonly monotonicMs: () => number;
  /** Longest wait for one look-up. */
  readonly maxWaitMs: number;
}

/** Which tenant's, and as of which revision at least. */
type Wanted = Pick<EventMeta, 'tenantId' | 'revision'>;
export type FindConfig = (wanted: Wanted) => Lookup | Promise<Lookup>;

/** Look-ups that are waited for at once while Postgres is away: enough to notice when it is back. */
const MAX_PROBES = 16;
/** How long one failed look-up lets others fail at once. */
const AWAY_MS = 1_000;

/**
 * A tenant's configuration at a revision or later: from the cache at once, else within a bounded wait.
 *
 * Modes: usual (every look-up is waited for) → away (one could not be answered: a few more are waited for, the rest is
 * unavailable at once, so that the cached tenants behind keep moving) → usual, by an answer or after a second.
 */
export function createFindConfig({ configs, monotonicMs, maxWaitMs }: FindConfigOptions): FindConfig {
  let waiting = 0;
  let awayUntilMs = Number.NEGATIVE_INFINITY;

  async function look(wanted: Wanted): Promise<Lookup> {
    waiting += 1;
    const lookup = await answerOf(configs, wanted, maxWaitMs);
    waiting -= 1;
    awayUntilMs = lookup.kind === 'unavailable' ? monotonicMs() + AWAY_MS : Number.NEGATIVE_INFINITY;
    return lookup;
  }

  return (wanted) => {
    const cached = configs.peek(wanted.tenantId);
    if (cached && cached.revision >= wanted.revision) return { kind: 'found', config: cached };
    if (waiting >= MAX_PROBES && monotonicMs() < awayUntilMs) {
      return { kind: 'unavailable', reason: 'the look-up before could not be answered' };
    }
    return look(wanted);
  };
}

async function answerOf(
  configs: Pick<TenantConfigs, 'get'>,
  wanted: Wanted,
  maxWaitMs: number,
): Promise<Lookup> {
  const reason = `no configuration within ${maxWaitMs} ms`;
  try {
    const lookup = configs.get(wanted.tenantId, wanted.revision);
    return await within(maxWaitMs, lookup, () => ({ kind: 'unavailable', reason }) as const);
  } catch (error) {
    return { kind: 'unavailable', reason: String(error) };
  }
}
