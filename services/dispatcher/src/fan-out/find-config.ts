import type { EventMeta } from '@posthorn/contracts';
import type { Lookup, TenantConfig, TenantConfigs } from '@posthorn/tenant-config';

export type FoundConfig = Exclude<Lookup, { kind: 'found' }> | { kind: 'found'; config: TenantConfig };

export interface FindConfigOptions {
  readonly configs: Pick<TenantConfigs, 'peek' | 'get'>;
  /** Longest wait for one look-up. */
  readonly maxWaitMs: number;
  /** Look-ups waited for at once; what comes on top is put aside, so that the known tenants behind keep moving. */
  readonly maxWaiting: number;
}

export type FindConfig = (event: EventMeta) => FoundConfig | Promise<FoundConfig>;

/** A tenant's configuration at an event's revision or later: from the cache at once, else within a bounded wait. */
export function createFindConfig({ configs, maxWaitMs, maxWaiting }: FindConfigOptions): FindConfig {
  let waiting = 0;

  async function look(event: EventMeta): Promise<FoundConfig> {
    waiting += 1;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<FoundConfig>((resolve) => {
      const reason = `no configuration within ${maxWaitMs} ms`;
      timer = setTimeout(() => resolve({ kind: 'unavailable', reason }), maxWaitMs);
    });
    try {
      return await Promise.race([configs.get(event.tenantId, event.revision), late]);
    } catch (error) {
      return { kind: 'unavailable', reason: String(error) };
    } finally {
      clearTimeout(timer);
      waiting -= 1;
    }
  }

  return (event) => {
    const cached = configs.peek(event.tenantId);
    if (cached && cached.revision >= event.revision) return { kind: 'found', config: cached };
    if (waiting >= maxWaiting) return { kind: 'unavailable', reason: `${waiting} look-ups wait already` };
    return look(event);
  };
}
