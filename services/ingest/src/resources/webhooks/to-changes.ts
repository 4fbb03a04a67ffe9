import { compileFilter, isOurHeader, SCHEDULE_PRESETS, type SchedulePreset } from '@posthorn/contracts';
import type { EndpointChanges, EndpointRow, SignatureScheme } from '@posthorn/db';
import { type KeyRing, sealSecret } from '@posthorn/secrets';
import { headerField } from '@posthorn/tenant-config';
import Type, { type Static } from 'typebox';
import { invalidRequest, isProblem, type Problem } from '../../http/problem.ts';
import { pointerTo } from '../../http/validation.ts';
import { ChangeableFields } from './fields.ts';
import { MASKED_VALUE } from './header-rules.ts';
import { makeSigningKey } from './make-signing-key.ts';
import { type Sealing, type StoredAuth, sealAuth, sealTls } from './seal-auth.ts';

const Changeable = Type.Object({ url: Type.Optional(Type.String()), ...ChangeableFields });
export type GivenChanges = Static<typeof Changeable>;

/** What a field is where nothing is said of it. */
export const UNSET = {
  description: '',
  eventTypes: ['*'],
  labels: {},
  filter: null,
  method: 'POST',
  sealedHeaders: {},
  signatures: ['v1'],
  auth: null,
  sealedAuth: null,
  tls: null,
  sealedTls: null,
  metadata: {},
  retryScheduleMs: null,
  attemptTimeoutMs: null,
  maxConcurrency: null,
  maxPerSec: null,
  maxRetryMs: null,
} as const satisfies EndpointChanges;

/** Whose headers, authentication and certificates are sealed, and what is stored of them. */
export type SealingFor = StoredAuth & Pick<EndpointRow, 'sealedHeaders' | 'publicKeys'>;

/**
 * Only what was given: the rest stays as it is. A problem for a filter that is none, and where a stored value is asked
 * for that is not there.
 */
export function toChanges(sealing: Sealing, of: SealingFor, given: GivenChanges): EndpointChanges | Problem {
  const faulty = filterProblem(given.filter) ?? reservedProblem(sealing.signatureHeaderPrefix, given);
  if (faulty) return faulty;
  const sealedHeaders = given.headers && sealHeaders(sealing.keyRing, of, given.headers);
  if (sealedHeaders && isProblem(sealedHeaders)) return sealedHeaders;
  const signing = given.signatures && chooseSignatures(sealing.keyRing, of, given.signatures);
  const auth = sealAuth(sealing, of, given.auth);
  if (isProblem(auth)) return auth;
  const tls = sealTls(sealing, of, given.tls);
  if (isProblem(tls)) return tls;
  const changes = {
    url: given.url,
    eventTypes: given.event_types,
    labels: given.labels && { ...given.labels },
    filter: given.filter && { ...given.filter },
    description: given.description,
    method: given.method,
    sealedHeaders,
    ...signing,
    ...auth,
    ...tls,
    metadata: given.metadata && { ...given.metadata },
    retryScheduleMs: ifGiven(given.retry_schedule, toScheduleMs),
    attemptTimeoutMs: given.attempt_timeout_ms,
    maxConcurrency: given.max_concurrency,
    maxPerSec: given.max_per_sec,
    maxRetryMs: ifGiven(given.max_retry_seconds, (seconds) => seconds * 1_000),
  };
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
}

function filterProblem(filter: object | null | undefined): Problem | null {
  if (filter === undefined || filter === null) return null;
  const compiled = compileFilter(filter);
  if (compiled.kind === 'filter') return null;
  return invalidRequest(
    compiled.faults.map(({ pointer, detail }) => ({ pointer: `/filter${pointer}`, detail })),
  );
}

/** Names that the operator's prefix makes ours; those of the usual one are refused in any installation. */
function reservedProblem(prefix: string, { headers, auth }: GivenChanges): Problem | null {
  const faultAt = (pointer: string, name: string | undefined) =>
    name !== undefined && isOurHeader(prefix, name.toLowerCase())
      ? [{ pointer, detail: `${JSON.stringify(name)} is reserved` }]
      : [];
  const faults = [
    ...Object.keys(headers ?? {}).flatMap((name) => faultAt('/headers', name)),
    ...faultAt('/auth/header', auth?.header),
  ];
  return faults.length > 0 ? invalidRequest(faults) : null;
}

const ifGiven = <T, U>(value: T | null | undefined, read: (value: T) => U): U | null | undefined =>
  value === undefined || value === null ? (value as null | undefined) : read(value);

/** Null is the schedule of the installation (`RETRY_SCHEDULE`), which the preset `default` stands for. */
function toScheduleMs(given: readonly number[] | SchedulePreset): readonly number[] | null {
  if (given === 'default') return null;
  if (typeof given === 'string') return SCHEDULE_PRESETS[given];
  return given.map((seconds) => Math.round(seconds * 1_000));
}

/** Signatures by a key need one: it is made the first time that they are asked for. */
function chooseSignatures(
  keyRing: KeyRing,
  of: SealingFor,
  wanted: readonly SignatureScheme[],
): Pick<EndpointChanges, 'signatures' | 'signingKey'> {
  const signatures = [...wanted].sort();
  if (!signatures.includes('v1a') || of.publicKeys.length > 0) return { signatures };
  return { signatures, signingKey: makeSigningKey(keyRing, of) };
}

function sealHeaders(keyRing: KeyRing, of: SealingFor, headers: object): Record<string, string> | Problem {
  const { tenantId, endpointId } = of;
  const sealed: Record<string, string> = {};
  for (const [given, value] of Object.entries(headers) as [string, string][]) {
    const name = given.toLowerCase();
    if (value !== MASKED_VALUE)
      sealed[name] = sealSecret(keyRing, { tenantId, endpointId, field: headerField(name) }, value);
    else if (Object.hasOwn(of.sealedHeaders, name)) sealed[name] = of.sealedHeaders[name]!;
    else return nothingToKeep(given);
  }
  return sealed;
}

const nothingToKeep = (name: string): Problem =>
  invalidRequest([
    { pointer: pointerTo('headers', name), detail: `is "${MASKED_VALUE}", but no value of it is stored` },
  ]);
