import type { EndpointId, Labels, TenantId } from '@posthorn/contracts';
import type {
  CancellationRow,
  ContentFilter,
  EndpointScope,
  EndpointState,
  PauseMode,
  Quotas,
  RequestMethod,
  SignatureScheme,
  TenantEndpointRow,
  TenantRow,
  TenantState,
  UnknownTypePolicy,
} from '@posthorn/db';
import type { KeyRing } from '@posthorn/secrets';
import type { ReceiverAuth, ReceiverTls } from './receiver-auth.ts';
import { type EndpointSecret, SealedParts } from './sealed-parts.ts';

/** What an endpoint subscribed to from one change up to (not including) another. */
export interface EndpointVersion {
  readonly validFrom: number;
  readonly validUntil: number | null;
  readonly eventTypes: readonly string[];
  readonly labels: Labels;
  /** Null, or left out, for none; one that does not compile matches nothing. */
  readonly filter?: ContentFilter | null;
}

export interface EndpointConfig {
  readonly endpointId: EndpointId;
  readonly tenantId: TenantId;
  readonly url: string;
  readonly state: EndpointState;
  /** `all_tenants`: a system endpoint, which gets other tenants' events and none of its own. Left out: `tenant`. */
  readonly scope?: EndpointScope;
  /**
   * Of a disabled one: `gone` and `auto_disabled` make dead letters of what is queued; `person`, or nothing, cancels it.
   */
  readonly stateReason: string | null;
  /** Of a paused one: what comes meanwhile waits, or is not matched. */
  readonly pauseMode: PauseMode | null;
  /**
   * Newest first, and of those past their end some; opened at the first look.
   * @throws SealedSecretError
   */
  readonly secrets: readonly EndpointSecret[];
  /** Which signatures its requests carry; left out: `v1` alone. */
  readonly signatures?: readonly SignatureScheme[];
  /**
   * Its ed25519 private keys, as its secrets; left out for none.
   * @throws SealedSecretError
   */
  readonly signingKeys?: readonly EndpointSecret[];
  readonly method: RequestMethod;
  /**
   * The receiver's own, names in lower case; opened at the first look.
   * @throws SealedSecretError
   */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /**
   * Left out, or null, for none; opened at the first look. So for the certificates.
   * @throws SealedSecretError; Error for what only a later release knows.
   */
  readonly auth?: ReceiverAuth | null;
  readonly tls?: ReceiverTls | null;
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
  /** Left out: `active`. */
  readonly state?: TenantState;
  /** Of events whose type is not in the catalogue; left out: `allow`. */
  readonly unknownEventTypes?: UnknownTypePolicy;
  readonly quotas: Quotas;
  readonly endpoints: ReadonlyMap<EndpointId, EndpointConfig>;
}

/** Secrets stay sealed until they are looked at: who never does needs no key that fits. */
export function toTenantConfig(row: TenantRow, keyRing: KeyRing | null): TenantConfig {
  return {
    tenantId: row.tenantId,
    revision: row.revision,
    lanes: row.lanes,
    drainingLanes: row.drainingLanes,
    lanesRevision: row.lanesRevision,
    cancellations: row.cancellations,
    retentionDays: row.retentionDays,
    ...(row.state ? { state: row.state } : {}),
    ...(row.unknownEventTypes ? { unknownEventTypes: row.unknownEventTypes } : {}),
    quotas: row.quotas,
    endpoints: new Map(
      row.endpoints.map((endpoint) => [endpoint.endpointId, toEndpoint(row, endpoint, keyRing)]),
    ),
  };
}

function toEndpoint(
  { tenantId }: TenantRow,
  row: TenantEndpointRow,
  keyRing: KeyRing | null,
): EndpointConfig {
  const sealed = new SealedParts(row, tenantId, keyRing);
  return {
    endpointId: row.endpointId,
    tenantId,
    url: row.url,
    state: row.state,
    ...(row.scope === undefined ? {} : { scope: row.scope }),
    stateReason: row.stateReason,
    pauseMode: row.pauseMode,
    get secrets() {
      return sealed.secrets;
    },
    ...(row.signatures ? { signatures: row.signatures } : {}),
    get signingKeys() {
      return sealed.signingKeys;
    },
    method: row.method,
    get headers() {
      return sealed.headers;
    },
    get auth() {
      return sealed.auth;
    },
    get tls() {
      return sealed.tls;
    },
    retryScheduleMs: row.retryScheduleMs,
    attemptTimeoutMs: row.attemptTimeoutMs,
    maxConcurrency: row.maxConcurrency,
    maxPerSec: row.maxPerSec,
    maxRetryMs: row.maxRetryMs,
    versions: row.versions,
  };
}
