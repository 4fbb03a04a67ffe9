import { crowdedOf } from '@posthorn/contracts';
import { failpoint, type Tracing } from '@posthorn/runtime';
import { Abandoned, type Send } from '../send.ts';
import type { SetAside } from '../set-aside.ts';
import type { BrokerClock } from './broker-clock.ts';
import { type Destinations, leaveTier, sendRound, type Waiting } from './release.ts';
import type { ReleaseRate } from './release-rate.ts';

export interface ReleaseRecordOptions extends Destinations {
  readonly brokerClock: BrokerClock;
  monotonicMs(): number;
  readonly rate: ReleaseRate;
  readonly send: Send;
  readonly setAside: SetAside;
  readonly tracing: Tracing;
  readonly observe: ReleaseObserver;
}

export interface ReleaseObserver {
  /** `latenessMs` by the broker's clock, from due to append. */
  released(to: 'deliveries' | 'events', latenessMs: number): void;
  hopped(): void;
  /** Its tenant's rate was used up. */
  crowded(): void;
}

/** Publish, then complete. Never rejects. */
export type ReleaseRecord = (waiting: Waiting) => Promise<void>;

export function createReleaseRecord(options: ReleaseRecordOptions): ReleaseRecord {
  return async (waiting) => {
    try {
      const waitMs = waiting.plan.hops ? 0 : turnOf(options, waiting);
      if (waitMs > 0) await sendOnARound(options, waiting, waitMs);
      else await release(options, waiting);
      failpoint('after-release-publish');
      waiting.record.complete();
    } catch (error) {
      if (!(error instanceof Abandoned)) await options.setAside(waiting.record, 'internal_error', error);
    }
  };
}

/** 0 when it may leave; else the milliseconds until its turn. */
function turnOf({ rate, monotonicMs }: ReleaseRecordOptions, { record, delivery }: Waiting): number {
  const { headers } = record;
  return rate.admit(headers.ce_tenant ?? '', delivery?.slots.length ?? 1, crowdedOf(headers), monotonicMs());
}

async function sendOnARound(options: ReleaseRecordOptions, waiting: Waiting, delayMs: number): Promise<void> {
  await options.send(waiting.record, sendRound(options, waiting, delayMs));
  options.observe.crowded();
}

async function release(options: ReleaseRecordOptions, waiting: Waiting): Promise<void> {
  const { brokerClock, monotonicMs, observe, tracing } = options;
  const { record, plan } = waiting;
  const hop = tracing.hop('release retry', record.headers.traceparent ?? '');
  const out = leaveTier(options, waiting, brokerClock.nowMs(), hop.traceparent);
  const sentMs = monotonicMs();
  const [first] = await Promise.all(out.map((each) => options.send(record, each)));
  const appendTimeMs = first?.appendTimeMs ?? null;
  hop.end();
  if (appendTimeMs !== null) brokerClock.observe({ appendTimeMs, sentMs, ackedMs: monotonicMs() });
  if (plan.hops) observe.hopped();
  else observe.released(plan.wait.returnTo, (appendTimeMs ?? brokerClock.nowMs()) - plan.dueMs);
}
