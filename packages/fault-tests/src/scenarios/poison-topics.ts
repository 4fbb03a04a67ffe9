import { setTimeout as delay } from 'node:timers/promises';
import postgres from 'postgres';
import { type Rig, TIERS } from '../rig/start-rig.ts';
import { writeRecords } from '../rig/write-records.ts';
import type { Scenario } from './scenario.ts';
import { runUnderLoad } from './under-load.ts';

const SEEN_WITHIN_MS = 15_000;
const TOPICS = [
  'events',
  'deliveries',
  'journal',
  'dead-letters',
  'replay',
  ...TIERS.map((tier) => `retry.${tier}`),
];

/** What nobody of ours would write: no headers, a version to come, bytes that are no JSON, headers that lie. */
const POISONS: readonly { readonly headers: Record<string, string>; readonly value: Buffer | null }[] = [
  { headers: {}, value: null },
  { headers: { ph_v: '999', ce_id: 'x' }, value: Buffer.from('{}') },
  { headers: { ph_v: '1', ph_slots: 'ep_x', ph_run: '-1' }, value: Buffer.from([0xff, 0xfe, 0x00]) },
  {
    headers: { ph_v: '1', ph_delay_ms: '1e99', ph_return: 'nowhere' },
    value: Buffer.from('{"v":99,"entries":{}}'),
  },
];

export const poisonTopics: Scenario = {
  id: 'D18',
  title: 'a record that cannot be read, in any topic, is set aside where it can be seen, and holds nobody up',
  run: (world) =>
    runUnderLoad(world, {
      async during(rig, notes) {
        const records = TOPICS.flatMap((topic) =>
          POISONS.map(({ headers, value }) => ({
            topic: `${rig.topicPrefix}${topic}`,
            partition: 0,
            key: null,
            headers,
            value,
          })),
        );
        await writeRecords(rig.infra.addresses, records);
        const seen = await untilSetAside(rig);
        const short = (topic: string) => topic.slice(rig.topicPrefix.length);
        const missing = missingIn(seen, rig);
        notes.figure('poison_records', records.length);
        notes.figure('set_aside', [...seen].map(([topic, count]) => `${short(topic)} ${count}`).join(' '));
        notes.expect(missing.length === 0, `not all of ${missing.join(', ')} was set aside`);
      },
    }),
};

/** Topics of which some record is still to be set aside. */
const missingIn = (seen: ReadonlyMap<string, number>, { topicPrefix }: Rig): string[] =>
  TOPICS.filter((topic) => (seen.get(`${topicPrefix}${topic}`) ?? 0) < POISONS.length);

/** In Postgres, where the service writes to it; a worker does not: its log tells, and its metric. */
async function untilSetAside(rig: Rig): Promise<Map<string, number>> {
  const deadline = performance.now() + SEEN_WITHIN_MS;
  const lanes = `${rig.topicPrefix}deliveries`;
  const worker = rig.fleet.member('worker-1');
  let told = 0;
  for (;;) {
    told = Math.max(told, worker.lines.filter(({ msg }) => msg === 'record set aside').length);
    const seen = await setAside(rig.databaseUrl);
    if (told > 0) seen.set(lanes, told);
    if (missingIn(seen, rig).length === 0 || performance.now() > deadline) return seen;
    await delay(200);
  }
}

async function setAside(databaseUrl: string): Promise<Map<string, number>> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    const rows = await sql<{ topic: string; count: number }[]>`
      select topic, count(*)::int as count from set_aside group by topic order by topic`;
    return new Map(rows.map(({ topic, count }) => [topic, count]));
  } finally {
    await sql.end();
  }
}
