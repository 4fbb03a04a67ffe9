import { waitUntil } from '@posthorn/testkit';
import postgres from 'postgres';
import { findClients } from '../by-hand/find-clients.ts';
import { headerOf, type TextClient, type TextRecord, withHeaders } from '../by-hand/text-client.ts';
import { type MadeTenant, makeTenant } from '../rig/make-tenants.ts';
import { type Rig, startRig } from '../rig/start-rig.ts';
import type { Finding, Scenario, World } from './scenario.ts';

/** Topics into which a dead letter may be put, and the header that says so. */
const WAYS: readonly { readonly topic: string; readonly headers: Readonly<Record<string, string>> }[] = [
  { topic: 'replay', headers: {} },
  { topic: 'dead-letters', headers: { ph_replay: 'true' } },
];

/** What must not pass for a copy, by what was changed. */
const CHANGES: readonly ((record: TextRecord) => TextRecord)[] = [
  (record) => withHeaders(record, { ce_tenant: 'somebody-else' }),
  (record) => withHeaders(record, { ph_slots: `ep_${'0'.repeat(32)}` }),
  (record) => withHeaders(record, { ph_mac: undefined }),
  (record) => ({ ...record, value: record.value.replace('12345678901234567890', '1') }),
];

/** One for each way, and one that is changed. */
const DEAD_LETTERS = WAYS.length + 1;
const PAYLOAD = '{"n":12345678901234567890, "s":"é, ü; x=y:z"}';
const WITHIN_MS = 30_000;
const POLL_MS = 200;

export const replayByHand: Scenario = {
  id: 'D22.1',
  title: 'a dead letter copied with Kafka clients that are not ours is sent again, once; a changed one never',
  async run(world) {
    const { clients, missing } = await findClients(world.infra);
    const skipped = missing.join('; ');
    if (skipped) world.say(`  skipped: ${skipped}`);
    if (clients.length === 0) return { figures: {}, complaints: [], skipped };
    const complaints: string[] = [];
    for (const client of clients) complaints.push(...(await proveClient(world, client)));
    const figures = { clients: clients.map(({ name }) => name).join(), skipped: skipped || null };
    return { figures, complaints } satisfies Finding;
  },
};

interface Proof {
  readonly rig: Rig;
  readonly sql: postgres.Sql;
  readonly client: TextClient;
  readonly tenant: MadeTenant;
}

/** A system of its own for each client, so that the topics hold nothing else. */
async function proveClient(world: World, client: TextClient): Promise<string[]> {
  const rig = await startRig(world.infra, { environment: { RETRY_SCHEDULE: 'none' } });
  const sql = postgres(rig.databaseUrl, { max: 1, onnotice: () => {} });
  try {
    const tenant = await makeTenant(rig, [{ label: 'dead', behaviour: { status: 500 } }]);
    const proof = { rig, sql, client, tenant };
    const [changed, ...whole] = await makeDeadLetters(proof);
    const complaints: string[] = [];
    for (const [i, way] of WAYS.entries()) {
      complaints.push(...(await replayCopy(proof, way, whole[i]!, i)));
      complaints.push(...(await refuseChanged(proof, way, changed!)));
    }
    world.say(`  ${client.name}: ${complaints.length === 0 ? 'as it should be' : 'not as it should be'}`);
    return complaints.map((each) => `${client.name}: ${each}`);
  } finally {
    await sql.end();
    await rig.close();
  }
}

async function makeDeadLetters({ rig, sql, client, tenant }: Proof): Promise<TextRecord[]> {
  for (let n = 0; n < DEAD_LETTERS; n++) {
    const labels = '{"a":"1","b":"2"}';
    const raw = `{"tenant_id":"${tenant.tenantId}","type":"load.odd","labels":${labels},"payload":${PAYLOAD}}`;
    const { status, body } = await rig.api.call('POST', '/v1/events', { raw, key: tenant.key });
    if (status !== 202) throw new Error(`answered ${status}: ${JSON.stringify(body)}`);
  }
  const isListed = async () => (await sql`select 1 from dead_letters`).length === DEAD_LETTERS;
  if (!(await until(isListed))) throw new Error(`there are no ${DEAD_LETTERS} dead letters`);
  await rig.receiver.behave(tenant.targets[0]!.path, {});
  return client.read(`${rig.topicPrefix}dead-letters`, DEAD_LETTERS);
}

/** The partition is the client's or ours to choose; it is the tenant's own in one way only. */
async function replayCopy(
  { rig, client, tenant }: Proof,
  { topic, headers }: (typeof WAYS)[number],
  dead: TextRecord,
  partition: number,
): Promise<string[]> {
  const eventId = headerOf(dead, 'ce_id')!;
  const arrivals = () => arrivalsOf(rig, tenant, eventId);
  await client.write(`${rig.topicPrefix}${topic}`, [typedIn(dead, headers)], partition);
  if (!(await until(async () => (await arrivals()).length === 2)))
    return [`a dead letter put into ${topic} was sent ${(await arrivals()).length - 1} times`];
  const [first, again] = await arrivals();
  const same = first!.hash === again!.hash && first!.deliveryId === again!.deliveryId;
  return same && again!.attempt === 1
    ? []
    : [`what came of a dead letter put into ${topic} is not the delivery that it was`];
}

async function refuseChanged(
  { rig, sql, client, tenant }: Proof,
  { topic, headers }: (typeof WAYS)[number],
  dead: TextRecord,
): Promise<string[]> {
  const name = `${rig.topicPrefix}${topic}`;
  const changed = CHANGES.map((change) => typedIn(change(dead), headers));
  const setAside = async () =>
    (await sql`select 1 from set_aside where topic = ${name} and reason like 'bad_mac%'`).length;
  await client.write(name, changed, 0);
  const seen = await until(async () => (await setAside()) === changed.length);
  const sent = (await arrivalsOf(rig, tenant, headerOf(dead, 'ce_id')!)).length - 1;
  return [
    ...(seen ? [] : [`of ${changed.length} changed copies in ${topic} ${await setAside()} were set aside`]),
    ...(sent === 0 ? [] : [`changed copies in ${topic} were sent ${sent} times`]),
  ];
}

/** As a person would put it back: under a key of his own, with headers of his client, in another order. */
function typedIn(record: TextRecord, headers: Readonly<Record<string, string>>): TextRecord {
  const added = withHeaders(record, { 'x-copied-by': 'hand', ...headers });
  return { ...added, key: 'by-hand', headers: added.headers.toReversed() };
}

const arrivalsOf = async (rig: Rig, { targets }: MadeTenant, eventId: string) =>
  (await rig.receiver.arrivals()).filter(
    (each) => each.eventId === eventId && each.path === targets[0]!.path,
  );

const until = (holds: () => Promise<boolean>): Promise<boolean> =>
  waitUntil(holds, { what: 'it', timeoutMs: WITHIN_MS, everyMs: POLL_MS }).catch(() => false);
