import type { EndpointId, Labels, TenantId } from '@posthorn/contracts';
import type { EndpointState, Quotas, TenantEndpointRow, TenantRow } from '@posthorn/db';
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
   * Signing secrets in the clear, newest first; opened at the first look.
   * @throws SealedSecretError
   */
  readonly secrets: readonly string[];
  /** Null: the default schedule. */
  readonly retryScheduleMs: readonly number[] | null;
  readonly attemptTimeoutMs: number | null;
  readonly versions: readonly EndpointVersion[];
}

export interface TenantConfig {
  readonly tenantId: TenantId;
  readonly revision: number;
  readonly lanes: readonly number[];
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
    get secrets() {
      opened ??= row.sealedSecrets.map((sealed) =>
        openSecret(key, { tenantId, endpointId, field: SIGNING_SECRET_FIELD }, sealed),
      );
      return opened;
    },
    retryScheduleMs: row.retryScheduleMs,
    attemptTimeoutMs: row.attemptTimeoutMs,
    versions: row.versions,
  };
}
