import type { Clock } from '@posthorn/runtime';
import type { TenantConfig } from '@posthorn/tenant-config';
import { type Problem, problem } from '../http/problem.ts';
import type { RateWindow } from './rate-window.ts';

export interface AdmitParts {
  readonly rate: RateWindow;
  /** Dead letters of a tenant that has filled half of its quota, else 0; at most 2 s old while Postgres answers. */
  readonly countDeadLetters: (tenantId: string) => number;
  readonly clock: Clock;
}

/** Whether the tenant may have one more event now; null when so, and then it counts. Asks nobody. */
export function admitEvent(parts: AdmitParts, tenant: TenantConfig): Problem | null {
  const { tenantId, quotas } = tenant;
  if (tenant.state === 'disabled')
    return problem('tenant_disabled', `${tenantId} is disabled: its events are refused until it is enabled`);
  if (quotas.dlqPolicy === 'refuse') {
    const count = parts.countDeadLetters(tenantId);
    if (count > 0 && count >= quotas.maxDlqSize) return tooManyDeadLetters(count, quotas.maxDlqSize);
  }
  const admission = parts.rate.admit(tenantId, quotas.maxEventsPerSec, parts.clock.monotonicMs());
  return admission.admitted ? null : tooFast(admission.limit, admission.resetMs);
}

const DLQ_RESET_MS = 60_000;

const tooManyDeadLetters = (count: number, limit: number): Problem =>
  problem('dlq_quota_exceeded', `${count} dead letters, max_dlq_size is ${limit}: retry or remove some`, {
    members: { quota: 'max_dlq_size', limit, remaining: 0, reset: DLQ_RESET_MS / 1_000, count },
    headers: limitHeaders('dead_letters', `q=${limit}`, DLQ_RESET_MS),
  });

const tooFast = (limit: number, resetMs: number): Problem =>
  problem('event_quota_exceeded', `more than ${limit} events in a second (max_events_per_sec)`, {
    members: { quota: 'max_events_per_sec', limit, remaining: 0, reset: Math.ceil(resetMs) / 1_000 },
    headers: limitHeaders('events', `q=${limit};w=1`, resetMs),
  });

/** After draft-ietf-httpapi-ratelimit-headers-09: whole seconds. */
function limitHeaders(name: string, policy: string, resetMs: number): Record<string, string> {
  const seconds = Math.max(1, Math.ceil(resetMs / 1_000));
  return {
    'retry-after': String(seconds),
    'ratelimit-policy': `"${name}";${policy}`,
    ratelimit: `"${name}";r=0;t=${seconds}`,
  };
}
