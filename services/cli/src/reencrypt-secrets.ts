import {
  inResealing,
  insertAuditEntry,
  pageSealedTexts,
  processActor,
  replaceSealedTexts,
  type Sql,
} from '@posthorn/db';
import { type KeyRing, readKeyRing } from '@posthorn/secrets';
import { type SealedAnew, sealAnew } from '@posthorn/tenant-config';
import type { Command } from './read-command.ts';
import type { Session } from './session.ts';

type Wish = Extract<Command, { name: 'secrets reencrypt' }>;

/** Endpoints of one transaction: their rows are locked for some tens of milliseconds. */
const BATCH_ENDPOINTS = 200;
/** What was changed meanwhile by somebody who had read it before comes with the next walk. */
const MAX_WALKS = 3;
const PROGRESS_MS = 1_000;
/** Faults that are told one by one. */
const MAX_FAULTS_TOLD = 20;

/**
 * Seals anew, endpoint by endpoint in the order of their ids, what is not sealed as it would be now. It keeps no place:
 * whoever starts it again goes over what is done already, which costs a look at it. Ends with 1 when something is left.
 */
export async function reencryptSecrets(session: Session, { dryRun }: Wish): Promise<number> {
  const ring = readKeyRing(session.config);
  for (let round = 1; ; round += 1) {
    const sums = await walk(session, ring, dryRun);
    tellSums(session, ring, sums, dryRun);
    if (sums.faults > 0) return 1;
    if (dryRun || sums.sealed === 0) return 0;
    if (round === MAX_WALKS) {
      session.terminal.tell('services still seal in another way: give all of them this key ring first');
      return 1;
    }
  }
}

interface Sums {
  endpoints: number;
  kept: number;
  sealed: number;
  faults: number;
}

async function walk(session: Session, ring: KeyRing, dryRun: boolean): Promise<Sums> {
  const { clock, terminal } = session;
  const sums: Sums = { endpoints: 0, kept: 0, sealed: 0, faults: 0 };
  let toldAtMs = clock.monotonicMs();
  for (let after = ''; ; ) {
    const page = await (dryRun ? tryBatch(session, ring, after) : sealBatch(session, ring, after));
    for (const each of page) add(session, sums, each);
    const last = page.at(-1);
    if (last === undefined || page.length < BATCH_ENDPOINTS) return sums;
    after = last.texts.endpointId;
    if (clock.monotonicMs() - toldAtMs < PROGRESS_MS) continue;
    toldAtMs = clock.monotonicMs();
    terminal.tell(`${sums.endpoints} webhooks, up to ${after}: ${sums.sealed} values sealed anew`);
  }
}

function add({ terminal }: Session, sums: Sums, { texts, kept, sealed, faults }: SealedAnew): void {
  sums.endpoints += 1;
  sums.kept += kept;
  sums.sealed += sealed;
  for (const fault of faults) {
    sums.faults += 1;
    if (sums.faults <= MAX_FAULTS_TOLD) terminal.tell(`${texts.tenantId} ${texts.endpointId} ${fault}`);
  }
}

async function tryBatch({ database }: Session, ring: KeyRing, after: string): Promise<SealedAnew[]> {
  const page = await pageSealedTexts(database.sql, { after, limit: BATCH_ENDPOINTS });
  return page.map((row) => sealAnew(ring, row));
}

function sealBatch(session: Session, ring: KeyRing, after: string): Promise<SealedAnew[]> {
  return inResealing(session.database.sql, async (sql) => {
    const page = await pageSealedTexts(sql, { after, limit: BATCH_ENDPOINTS, locked: true });
    const changed = page.map((row) => sealAnew(ring, row));
    const due = changed.filter(({ sealed }) => sealed > 0);
    for (const { texts } of due) await replaceSealedTexts(sql, texts);
    if (due.length > 0) await tellAudit(session, sql, ring, due);
    return changed;
  });
}

/** One entry a batch, in its transaction: which endpoints is between its first and its last. */
function tellAudit({ user }: Session, sql: Sql, ring: KeyRing, due: readonly SealedAnew[]): Promise<void> {
  const ids = due.map(({ texts }) => texts.endpointId);
  return insertAuditEntry(sql, {
    actor: { ...processActor('cli'), name: user },
    action: 'secrets.reencrypted',
    tenantId: null,
    subject: ring.sealing.keyId,
    detail: {
      endpoints: due.length,
      values: due.reduce((sum, { sealed }) => sum + sealed, 0),
      first: ids[0],
      last: ids.at(-1),
    },
  });
}

function tellSums({ terminal }: Session, ring: KeyRing, sums: Sums, dryRun: boolean): void {
  const { endpoints, kept, sealed, faults } = sums;
  const done = dryRun ? 'to be sealed anew' : 'sealed anew';
  const told = [
    `${endpoints} webhooks: ${sealed} values ${done} with key ${ring.sealing.keyId}`,
    `${kept} were so already`,
  ];
  if (faults > 0) told.push(`${faults} do not open and stay as they are`);
  terminal.tell(`${told.join(', ')}.`);
}
