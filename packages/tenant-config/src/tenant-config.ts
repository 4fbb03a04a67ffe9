import type { EndpointId, Labels, TenantId } from '@posthorn/contracts';
import type {
  CancellationRow,
  EndpointState,
  PauseMode,
  Quotas,
  TenantEndpointRow,
  TenantRow,
} from '@posthorn/db';
import { openSecret, type SecretsKey } from './sealed-secret.ts';

/** What an endpoint subscribed to from one change up to (not including) another. */
export interface EndpointVersion {
  readonly validFrom: number;
  readonly validUntil: number | null;
  readonly eventTypes: readonly string[];
  readonly labels: Labels;
}

export interface EndpointConfig {
  readonly endpointId: EndpointId;
  readonly tenantId: TenantId;
  readonly url: string;
  readonly state: EndpointState;
  /**
   * Of a disabled one: `gone` and `auto_disabled` make dead letters of what is queued; `person`, or nothing, cancels it.
   */
  readonly stateReason: string | null;
  /** Of a paused one: what comes meanwhile waits, or is not matched. */
  readonly pauseMode: PauseMode | null;
  /**
   * Signing secrets in the clear, newest first; opened at the first look.
   * @throws SealedSecretError
   */
  readonly secrets: readonly string[];
  /** Null: the default schedule. */
  readonly retryScheduleMs: readonly number[] | null;
  readonly attemptTimeoutMs: number | null;
  /** Deliveries under way at once; null: no limit of its own. So for the two that follow. */
  readonly maxConcurrency: number | null;
  /** Deliveries a second. */
  readonly maxPerSec: number | null;
  /** The time budget of one round. */
  readonly maxRetryMs: number | null;
  readonly versions: readonly EndpointVersion[];
}

export interface TenantConfig {
  readonly tenantId: TenantId;
  readonly revision: number;
  readonly lanes: readonly number[];
  /** Lanes that the tenant has left and that are not known to be empty: they keep their share of its cap. */
  readonly drainingLanes: readonly number[];
  /** The revision of the last change of lanes. */
  readonly lanesRevision: number;
  /** What they cover is not delivered: see `isCancelled`. */
  readonly cancellations: readonly CancellationRow[];
  readonly retentionDays: number;
  readonly quotas: Quotas;
  readonly endpoints: ReadonlyMap<EndpointId, EndpointConfig>;
}

/** The field that an endpoint's signing secrets are sealed for. */
export const SIGNING_SECRET_FIELD = 'signing_secret';

/** Secrets stay sealed until they are looked at: who never does needs no key that fits. */
export function toTenantConfig(row: TenantRow, key: SecretsKey): TenantConfig {
  return {
    tenantId: row.tenantId,
    revision: row.revision,
    lanes: row.lanes,
    drainingLanes: row.drainingLanes,
    lanesRevision: row.lanesRevision,
    cancellations: row.cancellations,
    retentionDays: row.retentionDays,
    quotas: row.quotas,
    endpoints: new Map(
      row.endpoints.map((endpoint) => [endpoint.endpointId, toEndpoint(row, endpoint, key)]),
    ),
  };
}

function toEndpoint({ tenantId }: TenantRow, row: TenantEndpointRow, key: SecretsKey): EndpointConfig {
  let opened: readonly string[] | undefined;
  const { endpointId } = row;
  return {
    endpointId,
    tenantId,
    url: row.url,
    state: row.state,
    stateReason: row.stateReason,
    pauseMode: row.pauseMode,
    get secrets() {
      opened ??= row.sealedSecrets.map((sealed) =>
        openSecret(key, { tenantId, endpointId, field: SIGNING_SECRET_FIELD }, sealed),
      );
      return opened;
    },
    retryScheduleMs: row.retryScheduleMs,
    attemptTimeoutMs: row.attemptTimeoutMs,
    maxConcurrency: row.maxConcurrency,
    maxPerSec: row.maxPerSec,
    maxRetryMs: row.maxRetryMs,
    versions: row.versions,
  };
}
