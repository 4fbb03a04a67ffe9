import type { Actor, EndpointRow, ReplayJobRow, SetAsideRow } from '@posthorn/db';
import type { Candidate } from '../src/resources/jobs/start-job.ts';
import type { Store } from '../src/store.ts';
import type { FakeTables } from './fake-tables.ts';

export interface Audited {
  readonly action: string;
  readonly subject: string;
  readonly actor: string;
}

type Changes = Pick<
  Store,
  | 'lanes'
  | 'changeEndpoint'
  | 'deleteEndpoint'
  | 'pauseEndpoint'
  | 'resumeEndpoint'
  | 'verifyEndpoint'
  | 'rotateSecret'
  | 'endSecretGrace'
  | 'endpointStats'
  | 'cancellations'
  | 'previewJob'
  | 'createJob'
  | 'findJob'
  | 'listJobs'
  | 'cancelJob'
  | 'listSetAside'
  | 'audit'
>;

export interface FakeEngine {
  readonly store: Changes;
  readonly audited: Audited[];
  readonly cancellations: { tenantId: string; endpointId: string | null; eventId: string | null }[];
  readonly jobs: ReplayJobRow[];
  /** What a dry run finds. */
  readonly candidates: Candidate[];
  readonly setAside: SetAsideRow[];
}

type Tables = Pick<FakeTables, 'tenants' | 'webhooks' | 'counts' | 'now' | 'nextChange' | 'answer'>;

export const MAX_FAKE_JOBS = 3;

/** What a store does to change how deliveries are made, over maps. */
export function createFakeEngine(tables: Tables): FakeEngine {
  const { tenants, webhooks, answer, now, nextChange } = tables;
  const audited: Audited[] = [];
  const cancellations: FakeEngine['cancellations'] = [];
  const jobs: ReplayJobRow[] = [];
  const candidates: Candidate[] = [];
  const setAside: SetAsideRow[] = [];

  function put(found: EndpointRow, changes: Partial<EndpointRow>, actor: Actor, verb: string) {
    const row = { ...found, ...changes, updatedAt: now() };
    webhooks.set(found.endpointId, row);
    audited.push({ actor: actor.keyId, action: `endpoint.${verb}`, subject: found.endpointId });
    return { kind: 'changed' as const, change: nextChange(), row };
  }

  const store: Changes = {
    lanes: {
      set: (tenantId, lanes) =>
        answer(() => {
          const config = tenants.get(tenantId);
          if (!config) return null;
          const drainingLanes = [...config.lanes, ...config.drainingLanes].filter(
            (lane) => !lanes.includes(lane),
          );
          const cap = config.quotas.maxConcurrentDeliveries;
          const count = lanes.length + drainingLanes.length;
          if (count > cap) return { kind: 'over_cap' as const, lanes: count, cap };
          tenants.set(tenantId, { ...config, lanes, drainingLanes });
          return { kind: 'changed' as const, change: nextChange(), lanes: [...lanes], drainingLanes };
        }),
    },
    changeEndpoint: (found, { fields, enabled }, actor) =>
      answer(() => {
        const changed = put(found, fields as Partial<EndpointRow>, actor, 'updated');
        if (enabled === undefined || enabled === (found.state !== 'disabled')) return changed;
        const state = enabled
          ? ACTIVE
          : { state: 'disabled' as const, stateReason: 'person', pauseMode: null };
        return put(changed.row, state, actor, enabled ? 'enabled' : 'disabled');
      }),
    deleteEndpoint: (found, _expected, actor) =>
      answer(() => ({ ...put(found, { state: 'deleted' }, actor, 'deleted'), row: null })),
    pauseEndpoint: (found, pauseMode, actor) =>
      answer(() => put(found, { state: 'paused', stateReason: 'person', pauseMode }, actor, 'paused')),
    verifyEndpoint: (found, { url }, actor) =>
      answer(() => put(found, { verifiedUrl: url }, actor, 'verified')),
    resumeEndpoint: (found, _rule, actor) =>
      answer(() => {
        if (found.state === 'active') return { kind: 'changed' as const, change: null, row: found };
        return put(found, ACTIVE, actor, 'resumed');
      }),
    rotateSecret: (found, _rotation, actor) => answer(() => put(found, {}, actor, 'secret_rotated')),
    endSecretGrace: (found, actor) => answer(() => put(found, {}, actor, 'secret_grace_ended')),
    endpointStats: () => answer(() => []),
    cancellations: {
      insert: (tenantId, scope) =>
        answer(() => {
          if (!tenants.has(tenantId)) return null;
          cancellations.push({ tenantId, ...scope });
          return { kind: 'cancelled' as const, change: nextChange() };
        }),
    },
    previewJob: () => answer(() => ({ total: candidates.length, sample: candidates.slice(0, 10) })),
    createJob: ({ jobId, tenantId, kind, filters, ratePerSec }) =>
      answer(() => {
        if (jobs.length >= MAX_FAKE_JOBS) return { kind: 'too_many' as const, limit: MAX_FAKE_JOBS };
        const counts = { total: candidates.length, done: 0, refused: 0, cursor: null, error: null };
        const wish = { jobId, tenantId, kind, filters, ratePerSec };
        const row: ReplayJobRow = { ...wish, ...counts, state: 'queued', createdAt: now(), updatedAt: now() };
        jobs.push(row);
        return { kind: 'created' as const, row };
      }),
    findJob: (tenantId, jobId) =>
      answer(
        () =>
          jobs.find((job) => job.jobId === jobId && (tenantId === null || job.tenantId === tenantId)) ?? null,
      ),
    listJobs: (tenantId, { limit }) =>
      answer(() => jobs.filter((job) => tenantId === null || job.tenantId === tenantId).slice(0, limit)),
    cancelJob: (_tenantId, jobId) =>
      answer(() => {
        const at = jobs.findIndex((job) => job.jobId === jobId);
        const job = jobs[at];
        if (!job || !['queued', 'running'].includes(job.state)) return false;
        jobs[at] = { ...job, state: 'cancelled' };
        return true;
      }),
    listSetAside: ({ limit }) => answer(() => setAside.slice(0, limit)),
    audit: ({ action, subject, actor }) =>
      answer(() => void audited.push({ action, subject, actor: actor.keyId })),
  };
  return { store, audited, cancellations, jobs, candidates, setAside };
}

const ACTIVE = { state: 'active' as const, stateReason: null, pauseMode: null };
