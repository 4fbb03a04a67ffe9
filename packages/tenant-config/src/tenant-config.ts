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
import { type KeyRing, openSecret } from '@posthorn/secrets';
import {
  AUTH_FIELD,
  type ReceiverAuth,
  type ReceiverTls,
  readAuth,
  readTls,
  TLS_FIELD,
} from './receiver-auth.ts';

/** What an endpoint subscribed to from one change up to (not including) another. */
export interface EndpointVersion {
  readonly validFrom: number;
  readonly validUntil: number | null;
  readonly eventTypes: readonly string[];
  readonly labels: Labels;
  /** Null, or left out, for none; one that does not compile matches nothing. */
  readonly filter?: ContentFilter | null;
}

/** A signing secret in the clear. */
export interface EndpointSecret {
  readonly text: string;
  /** From then on it signs nothing; null: as long as it is there. */
  readonly expiresAtMs: number | null;
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

/** The field that an endpoint's signing secrets are sealed for. */
export const SIGNING_SECRET_FIELD = 'signing_secret';

/** The field that an endpoint's ed25519 private keys are sealed for. */
export const ED25519_KEY_FIELD = 'ed25519_key';

/** The field that the value of a header of the receiver's own is sealed for. */
export const headerField = (name: string): string => `header:${name}`;

/** Secrets stay sealed until they are looked at: who never does needs no key that fits. */
export function toTenantConfig(row: TenantRow, key: KeyRing | null): TenantConfig {
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
      row.endpoints.map((endpoint) => [endpoint.endpointId, toEndpoint(row, endpoint, key)]),
    ),
  };
}

function toEndpoint({ tenantId }: TenantRow, row: TenantEndpointRow, key: KeyRing | null): EndpointConfig {
  let secrets: readonly EndpointSecret[] | undefined;
  let signingKeys: readonly EndpointSecret[] | undefined;
  let headers: EndpointConfig['headers'] | undefined;
  let auth: ReceiverAuth | undefined;
  let tls: ReceiverTls | undefined;
  const { endpointId } = row;
  const open = (field: string, sealed: string): string =>
    openSecret(held(key), { tenantId, endpointId, field }, sealed);
  return {
    endpointId,
    tenantId,
    url: row.url,
    state: row.state,
    ...(row.scope === undefined ? {} : { scope: row.scope }),
    stateReason: row.stateReason,
    pauseMode: row.pauseMode,
    get secrets() {
      secrets ??= held(row.sealedSecrets).map((sealed, place) => ({
        text: open(SIGNING_SECRET_FIELD, sealed),
        expiresAtMs: row.secretsExpireAtMs[place] ?? null,
      }));
      return secrets;
    },
    ...(row.signatures ? { signatures: row.signatures } : {}),
    get signingKeys() {
      held(row.sealedSecrets);
      signingKeys ??= (row.sealedSigningKeys ?? []).map((sealed, place) => ({
        text: open(ED25519_KEY_FIELD, sealed),
        expiresAtMs: row.signingKeysExpireAtMs?.[place] ?? null,
      }));
      return signingKeys;
    },
    method: row.method,
    get headers() {
      headers ??= Object.entries(held(row.sealedHeaders)).map(([name, sealed]) => [
        name,
        open(headerField(name), sealed),
      ]);
      return headers;
    },
    get auth() {
      held(row.sealedSecrets);
      if (!row.sealedAuth) return null;
      auth ??= readAuth(open(AUTH_FIELD, row.sealedAuth));
      return auth;
    },
    get tls() {
      held(row.sealedSecrets);
      if (!row.sealedTls) return null;
      tls ??= readTls(open(TLS_FIELD, row.sealedTls));
      return tls;
    },
    retryScheduleMs: row.retryScheduleMs,
    attemptTimeoutMs: row.attemptTimeoutMs,
    maxConcurrency: row.maxConcurrency,
    maxPerSec: row.maxPerSec,
    maxRetryMs: row.maxRetryMs,
    versions: row.versions,
  };
}

/** What was not loaded must not be taken for what there is not: a request would go out unsigned. */
function held<T>(loaded: T | null | undefined): T {
  if (loaded === null || loaded === undefined) throw new Error('secrets of endpoints were not loaded');
  return loaded;
}
