import type { ReplicaPoll, TenantEndpointRow, TenantRow } from '@posthorn/db';
import { parseKeyRing } from '@posthorn/secrets';
import { createFakeClock } from '@posthorn/testkit';
import { createTenantConfigs, type TenantConfigsOptions } from '../src/tenant-configs.ts';

export const keyRing = parseKeyRing(Buffer.alloc(32, 1).toString('base64'));

/** A configuration store in memory: every change takes the next number. */
function fakeStore() {
  const rows = new Map<string, TenantRow>();
  const loads: string[][] = [];
  let sequence = 0;
  let away = false;
  let others: number | null = null;
  const reported: number[] = [];
  let gate: Promise<void> | undefined;

  return {
    loads,
    reported,
    change(tenantId: string, endpoints: TenantEndpointRow[] = []): number {
      sequence++;
      rows.set(tenantId, row(tenantId, sequence, endpoints));
      return sequence;
    },
    setAway(value: boolean) {
      away = value;
    },
    setOthers(applied: number | null) {
      others = applied;
    },
    restore(to: number) {
      sequence = to;
    },
    /** Holds the answers of loads, which are as of when they were asked. */
    hold(): () => void {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate = promise;
      return () => {
        gate = undefined;
        resolve();
      };
    },
    source: {
      async sequence() {
        if (away) throw new Error('away');
        return sequence;
      },
      async poll(applied: number): Promise<ReplicaPoll> {
        if (away) throw new Error('away');
        reported.push(applied);
        const changes = [...rows.values()]
          .filter(({ revision }) => revision > applied)
          .map(({ tenantId, revision }) => ({ tenantId, revision }));
        return { sequence, changes, appliedByOthers: others };
      },
      async load(tenantIds: readonly string[]) {
        if (away) throw new Error('away');
        loads.push([...tenantIds]);
        const found = tenantIds.flatMap((id) => rows.get(id) ?? []);
        await gate;
        return found;
      },
      async leave() {},
    },
  };
}

function row(tenantId: string, revision: number, endpoints: TenantEndpointRow[]): TenantRow {
  return {
    tenantId,
    name: '',
    revision,
    lanes: [0],
    drainingLanes: [],
    lanesRevision: 0,
    cancellations: [],
    retentionDays: 30,
    quotas: {
      maxEventsPerSec: 100,
      maxConcurrentDeliveries: 50,
      maxDlqSize: 100,
      maxWebhooks: 1_000,
      dlqPolicy: 'refuse',
    },
    endpoints,
  };
}

export const endpoint = (endpointId: string, sealedSecrets: string[] = []): TenantEndpointRow => ({
  endpointId,
  url: 'https://example.com',
  state: 'active',
  sealedSecrets,
  secretsExpireAtMs: [],
  method: 'POST',
  sealedHeaders: {},
  retryScheduleMs: null,
  attemptTimeoutMs: null,
  stateReason: null,
  pauseMode: null,
  maxConcurrency: null,
  maxPerSec: null,
  maxRetryMs: null,
  versions: [],
});

export function setup(over: Partial<TenantConfigsOptions> = {}) {
  const store = fakeStore();
  const clock = createFakeClock();
  const warnings: string[] = [];
  const configs = createTenantConfigs({
    database: undefined as never,
    source: store.source,
    keyRing,
    clock,
    log: { info() {}, warn: (_fields: object, message: string) => warnings.push(message) } as never,
    ...over,
  });
  return { store, clock, configs, warnings };
}

export const revisionOf = async (
  configs: ReturnType<typeof setup>['configs'],
  tenantId: string,
  atLeast?: number,
) => {
  const lookup = await configs.get(tenantId, atLeast);
  return lookup.kind === 'found' ? lookup.config.revision : lookup.kind;
};
