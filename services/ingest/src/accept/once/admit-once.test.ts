import { createFakeClock, type FakeClock } from '@posthorn/testkit';
import { beforeEach, expect, it } from 'vitest';
import { createFakeClaims, type FakeClaims } from '../../../test/fake-claims.ts';
import { isProblem, type Problem } from '../../http/problem.ts';
import type { AcceptedEvent } from '../accept-event.ts';
import { type AdmitOnce, createAdmitOnce, type OnceParts } from './admit-once.ts';
import type { OnceRequest, OnceResult } from './hold-claim.ts';

const TIMES = { produceTimeoutMs: 1_000, marginMs: 400, waitMs: 600 };

let clock: FakeClock;
let claims: FakeClaims;
let counted: OnceResult[];
let isUp: boolean;
/** Ends the waits that have begun. */
let waits: (() => void)[];
let once: AdmitOnce;

beforeEach(() => {
  clock = createFakeClock();
  claims = createFakeClaims(clock.nowMs);
  counted = [];
  isUp = true;
  waits = [];
  once = open();
});

function open(given: Partial<OnceParts> = {}, maxWaiting?: number): AdmitOnce {
  const parts: OnceParts = {
    ...TIMES,
    claims,
    endOffset: async () => 0,
    clock,
    wait: (ms) => new Promise((resolve) => void waits.push(() => resolve(clock.advance(ms)))),
    log: { warn: () => undefined },
    count: (result) => void counted.push(result),
    isDatabaseUp: () => isUp,
    reportDatabaseDown: () => undefined,
  };
  return createAdmitOnce({ ...parts, ...given }, maxWaiting);
}

const accepted = (eventId: string) => ({ event_id: eventId }) as AcceptedEvent;

const request = (given: Partial<OnceRequest> = {}): OnceRequest => ({
  tenantId: 'acme',
  names: { idempotencyKey: 'k', clientEventId: null },
  bodyHash: Buffer.from('body'),
  partition: 0,
  make: async (eventId) => accepted(eventId),
  recall: accepted,
  ...given,
});

const codeOf = (answer: AcceptedEvent | Problem) => (isProblem(answer) ? answer.code : 'accepted');
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const never = () => new Promise<AcceptedEvent>(() => undefined);

async function pass(): Promise<void> {
  await turn();
  for (const end of waits.splice(0)) end();
  await turn();
}

it('gives those who wait the answer of the one who produces', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const first = once.admit(
    request({
      async make(eventId) {
        await promise;
        return accepted(eventId);
      },
    }),
  );
  const second = once.admit(request());
  await pass();
  expect(once.waiting).toBe(1);
  resolve();
  await pass();
  expect(await second).toEqual(await first);
  expect([once.waiting, counted]).toEqual([0, ['made', 'repeated']]);
});

it('tells one who has waited long enough when the lease ends', async () => {
  void once.admit(request({ make: never }));
  const second = once.admit(request());
  while (once.waiting > 0 || counted.length === 0) await pass();
  const answer = await second;
  expect(codeOf(answer)).toBe('idempotency_in_progress');
  expect((answer as Problem).headers).toEqual({ 'retry-after': '1' });
});

it('lets no more wait than it has room for', async () => {
  once = open({}, 1);
  void once.admit(request({ make: never }));
  void once.admit(request());
  await turn();
  expect(codeOf(await once.admit(request()))).toBe('idempotency_in_progress');
  expect(once.waiting).toBe(1);
});

it('gives an answer that could not be stored all the same', async () => {
  once = open({ claims: { ...claims, storeAnswer: () => Promise.reject(new Error('away')) } });
  expect(codeOf(await once.admit(request()))).toBe('accepted');
  expect(counted).toEqual(['made', 'answer_not_stored']);
});

it('does not produce on a claim that took too long', async () => {
  const sendBy: number[] = [];
  const startedMs = clock.monotonicMs();
  await once.admit(
    request({
      async make(eventId, sendByMs) {
        sendBy.push(sendByMs - startedMs);
        return accepted(eventId);
      },
    }),
  );
  expect(sendBy).toEqual([TIMES.marginMs / 2]);
});

it('asks nothing of a database that is known to be away', async () => {
  isUp = false;
  once = open({ claims: { ...claims, insert: () => Promise.reject(new Error('asked')) } });
  expect(codeOf(await once.admit(request()))).toBe('database_unavailable');
});

it('passes on what is no fault of the database, and leaves the claim to run out', async () => {
  const bug = new TypeError('bug');
  await expect(once.admit(request({ make: () => Promise.reject(bug) }))).rejects.toBe(bug);
  expect(claims.size).toBe(1);
});

it('does not say that an event is absent while Kafka does not say where its log ends', async () => {
  const unknown = { kind: 'problem', code: 'outcome_unknown', detail: '' } as Problem;
  await once.admit(request({ make: async () => unknown }));
  const [held] = await claims.find('acme', request().names);
  clock.advance(TIMES.produceTimeoutMs + TIMES.marginMs);
  once = open({ endOffset: async () => null });
  expect(codeOf(await once.admit(request()))).toBe('idempotency_in_progress');
  const [left] = await claims.find('acme', request().names);
  expect(left).toMatchObject({ eventId: held!.eventId, leaseLeftMs: 0, answer: null });
});
