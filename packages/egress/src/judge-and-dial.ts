import { isIP } from 'node:net';
import type { AddressPolicy, BlockReason, TargetVerdict } from './address-policy.ts';
import { type Destination, type Dialled, type DialOptions, dial, NO_PHASES } from './dial.ts';
import { TIMED_OUT } from './dial-failure.ts';
import type { Refusals } from './imitate-refusal.ts';
import { CONNECTION_REFUSED } from './resolve.ts';

/** A request that the policy did not let out. All of it is for operators. */
export interface Blocked {
  readonly why: BlockReason;
  readonly origin: string;
  readonly reason: string;
}

export interface Guard {
  readonly policy: AddressPolicy;
  readonly dialOptions: DialOptions;
  readonly refusals: Refusals;
  readonly onBlocked: (blocked: Blocked) => void;
}

/**
 * Port, protocol and host are judged again: the policy may have changed since the URL was stored. What is blocked, here or
 * when its name is resolved, goes like a connection that is refused.
 */
export async function judgeAndDial(
  destination: Destination,
  deadlineMs: number,
  { policy, dialOptions, refusals, onBlocked }: Guard,
): Promise<Dialled> {
  const startedAtMs = performance.now();
  const verdict = policy.judgeTarget(destination.target);
  const dialled = verdict.allowed
    ? await dial(destination, dialOptions, deadlineMs)
    : notDialled(destination, verdict);
  if (dialled.ok || dialled.failure !== 'blocked') return dialled;
  const { why = 'special_address', operatorDetail: reason } = dialled;
  onBlocked({ why, origin: destination.target.origin, reason });
  const { dnsMs } = dialled.phases;
  const imitated = refusals.draw(verdict.allowed || dnsMs === null ? dnsMs : undefined, deadlineMs);
  await refusals.wait(startedAtMs + imitated.endsAfterMs);
  return { ...dialled, ...(imitated.isInTime ? {} : TIMED_OUT), phases: imitated.phases, imitated };
}

/** The policy says no to what is in the URL itself: nobody is asked for its address. */
function notDialled(
  { target }: Destination,
  { why, reason }: Extract<TargetVerdict, { allowed: false }>,
): Dialled {
  const phases = { ...NO_PHASES, dnsMs: isIP(target.hostname) === 0 ? 0 : null };
  const operatorDetail = `blocked ${target.origin}: ${reason}`;
  return { ok: false, failure: 'blocked', why, detail: CONNECTION_REFUSED, operatorDetail, phases };
}
