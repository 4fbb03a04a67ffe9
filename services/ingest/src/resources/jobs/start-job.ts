import {
  type Actor,
  type AuditView,
  cancelJob,
  countDeadLettersBy,
  countMissing,
  createJob,
  findJob,
  insertAuditEntry,
  inTransaction,
  type JobPlace,
  listJobs,
  type MissingCandidate,
  pageDeadLetters,
  pageMissingEvents,
  type ReplayJobFilters,
  type ReplayJobKind,
  type ReplayJobRow,
  type Sql,
} from '@posthorn/db';
import { createQuestionGate, type QuestionGate } from '../../question-gate.ts';

export interface JobWish {
  readonly jobId: string;
  readonly tenantId: string;
  readonly kind: ReplayJobKind;
  readonly filters: ReplayJobFilters;
  readonly ratePerSec: number;
}

/** One of what a job would ask for; without delivery and reason for what was never sent. */
export interface Candidate {
  readonly event_id: string;
  readonly webhook_id: string;
  readonly event_type: string;
  readonly delivery_id?: string;
  readonly reason?: string;
}

/** Jobs that replay many deliveries; the dispatcher runs them. */
export interface Jobs {
  /** What a job would begin with: how many, and some of them. */
  previewJob(
    tenantId: string,
    kind: ReplayJobKind,
    filters: ReplayJobFilters,
  ): Promise<{ total: number; sample: Candidate[] }>;
  createJob(
    wish: JobWish,
    actor: Actor,
  ): Promise<{ kind: 'created'; row: ReplayJobRow } | { kind: 'too_many'; limit: number }>;
  /** Of any tenant when `tenantId` is null. */
  findJob(tenantId: string | null, jobId: string): Promise<ReplayJobRow | null>;
  /** The latest first; of all tenants when `tenantId` is null. */
  listJobs(
    tenantId: string | null,
    page: { readonly limit: number; readonly place: JobPlace | null },
  ): Promise<ReplayJobRow[]>;
  /** False when it is over. */
  cancelJob(tenantId: string, jobId: string, actor: Actor): Promise<boolean>;
}

const SAMPLED = 10;
/** What was never sent is counted by looking through events, for seconds: one tenant at a time, and few at once. */
const MAX_COUNTS = 3;
const MAX_COUNTS_OF_TENANT = 1;
const COUNT_TIMEOUT_MS = 10_000;

export const createCountGate = (): QuestionGate => createQuestionGate(MAX_COUNTS, MAX_COUNTS_OF_TENANT);

export function openJobs(pool: Sql, counts: QuestionGate): Jobs {
  const count = (tenantId: string, kind: ReplayJobKind, filters: ReplayJobFilters): Promise<number> =>
    kind === 'missing'
      ? counts.ask(COUNT_TIMEOUT_MS, () => countMissing(pool, tenantId, filters), tenantId)
      : countDeadLettersBy(pool, tenantId, filters);
  return {
    async previewJob(tenantId, kind, filters) {
      const [total, sample] = await Promise.all([
        count(tenantId, kind, filters),
        takeSample(pool, tenantId, kind, filters),
      ]);
      return { total, sample };
    },
    async createJob(wish, actor) {
      const total = await count(wish.tenantId, wish.kind, wish.filters);
      return inTransaction(pool, async (sql) => {
        const created = await createJob(sql, { ...wish, total, createdBy: actor.keyId });
        if (created.kind === 'created') await audit(sql, wish, 'created', actor, wishOf(wish, total));
        return created;
      });
    },
    findJob: (tenantId, jobId) => findJob(pool, tenantId, jobId),
    listJobs: (tenantId, page) => listJobs(pool, tenantId, page),
    cancelJob: (tenantId, jobId, actor) =>
      inTransaction(pool, async (sql) => {
        const cancelled = await cancelJob(sql, tenantId, jobId);
        if (cancelled) await audit(sql, { tenantId, jobId }, 'cancelled', actor);
        return cancelled;
      }),
  };
}

const audit = (
  sql: Sql,
  { tenantId, jobId }: Pick<JobWish, 'tenantId' | 'jobId'>,
  verb: string,
  actor: Actor,
  detail: AuditView = {},
): Promise<void> => insertAuditEntry(sql, { actor, action: `job.${verb}`, tenantId, subject: jobId, detail });

const wishOf = ({ kind, filters, ratePerSec }: JobWish, total: number): AuditView => ({
  kind,
  ratePerSec,
  total,
  ...filters,
});

async function takeSample(
  sql: Sql,
  tenantId: string,
  kind: ReplayJobKind,
  filters: ReplayJobFilters,
): Promise<Candidate[]> {
  const first = { cursor: null, limit: SAMPLED };
  if (kind === 'missing') {
    const { rows } = await pageMissingEvents(sql, tenantId, filters, first);
    return rows.map(viewCandidate);
  }
  const { rows } = await pageDeadLetters(sql, tenantId, filters, { ...first, untilMs: MAX_TIME_MS });
  return rows.map((row) => ({ ...viewCandidate(row), delivery_id: row.deliveryId, reason: row.reason }));
}

const viewCandidate = (row: MissingCandidate): Candidate => ({
  event_id: row.eventId,
  webhook_id: row.endpointId,
  event_type: row.eventType,
});

/** The end of year 9999: a dry run looks at all that is there. */
const MAX_TIME_MS = Date.UTC(9_999, 11, 31);
