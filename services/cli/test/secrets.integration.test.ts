import { randomBytes } from 'node:crypto';
import {
  createEndpoint,
  createTenant,
  type Database,
  EVERY_TENANT,
  openDatabase,
  pageSealedTexts,
  type SealedTexts,
  verifyAuditLog,
} from '@posthorn/db';
import { type KeyRing, openSecret, parseKeyRing, sealOf, sealSecret } from '@posthorn/secrets';
import { databaseUrl } from '@posthorn/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCommand } from '../src/run-command.ts';

const [OLD, NEXT, LOST] = Array.from({ length: 3 }, () => randomBytes(32).toString('base64')) as [
  string,
  string,
  string,
];
const FIELDS = ['signing_secret', 'ed25519_key', 'header:x-token', 'auth', 'tls'] as const;
const CANARY = 'canary-of-a-secret';

let url: string;
let database: Database;
beforeAll(async () => {
  url = await databaseUrl();
  database = openDatabase({ url, pool: 2, applicationName: 'test', tenant: EVERY_TENANT });
  for (const tenantId of ['acme', 'globex'])
    await createTenant(database.sql, { tenantId, name: '', lanes: [1] });
});
afterAll(() => database.close());

async function secrets(keys: Record<string, string>, ...args: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCommand(['secrets', ...args], {
    // As in a container of ingest: with its rights and no others.
    environment: { DATABASE_URL: url, DATABASE_ROLE: 'posthorn_ingest', ...keys },
    clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
    user: 'zoe',
    terminal: {
      print: async (text) => void out.push(text),
      tell: (line) => void err.push(line),
    },
  });
  return { code, out: out.join(''), err: err.join('\n') };
}

/** With one value in each of the columns that are sealed, and in those of its signing secrets two. */
async function addWebhook(tenantId: string, endpointId: string, ring: KeyRing): Promise<void> {
  const seal = (field: string): string =>
    sealSecret(ring, { tenantId, endpointId, field }, `${CANARY} ${field}`);
  const endpoint = { endpointId, url: 'https://a.example/', description: '', eventTypes: ['*'], labels: {} };
  await createEndpoint(database.sql, tenantId, {
    ...endpoint,
    sealedSecrets: [seal('signing_secret'), seal('signing_secret')],
    sealedHeaders: { 'x-token': seal('header:x-token') },
    retryScheduleMs: null,
    attemptTimeoutMs: null,
  });
  await database.sql`
    update endpoints set
      auth = '{"type": "bearer"}', sealed_auth = ${seal('auth')}, tls = '{}', sealed_tls = ${seal('tls')},
      sealed_signing_keys = ${database.sql.json([seal('ed25519_key')])},
      signing_public_keys = '{whpk_x}', signing_keys_expire_at = '{null}'
    where endpoint_id = ${endpointId}`;
}

const allTexts = (): Promise<SealedTexts[]> => pageSealedTexts(database.sql, { after: '', limit: 100 });
const textsOf = (row: SealedTexts): string[] => [
  ...row.sealedSecrets,
  ...row.sealedSigningKeys,
  ...Object.values(row.sealedHeaders),
  row.sealedAuth!,
  row.sealedTls!,
];
const keyIdOf = (key: string): string => parseKeyRing(key).sealing.keyId;
const audited = () =>
  database.sql`select actor, actor_name, subject, detail from audit_log where action = 'secrets.reencrypted' order by seq`;
const standing = () =>
  database.sql`
    select value, array(select revision from tenants order by 1) as tenants,
           array(select (revision, updated_at)::text from endpoints order by endpoint_id) as endpoints
    from config_sequence`;

test('every column that is sealed is sealed anew: a new one is to be told to sealed-texts.ts', async () => {
  const rows = await database.sql<{ name: string }[]>`
    select table_name || '.' || column_name as name from information_schema.columns
    where table_schema = 'public' and starts_with(column_name, 'sealed_') order by 1`;
  expect(rows.map(({ name }) => name)).toEqual([
    'endpoints.sealed_auth',
    'endpoints.sealed_headers',
    'endpoints.sealed_secrets',
    'endpoints.sealed_signing_keys',
    'endpoints.sealed_tls',
  ]);
});

test('all values are sealed with the first key, without a change of the configuration, once, and audited', async () => {
  await addWebhook('acme', 'ep_1', parseKeyRing(OLD, 'v1'));
  await addWebhook('acme', 'ep_2', parseKeyRing(OLD));
  await addWebhook('globex', 'ep_3', parseKeyRing(OLD, 'v1'));
  const ring = { SECRETS_KEYS: `${NEXT},${OLD}` };
  const before = await standing();
  const sealed = await allTexts();

  const status = await secrets(ring, 'status');
  expect(status.code).toBe(0);
  expect(status.out.trim().split('\n').sort()).toEqual(
    [
      `${keyIdOf(OLD)}\tv1\t12\tto be sealed anew`,
      `${keyIdOf(OLD)}\tv2\t6\tto be sealed anew`,
      `${keyIdOf(NEXT)}\t-\t0\tseals`,
    ].sort(),
  );
  const tried = await secrets(ring, 'reencrypt', '--dry-run');
  expect([tried.code, tried.err]).toEqual([0, expect.stringContaining('18 values to be sealed anew')]);
  expect(await allTexts()).toEqual(sealed);

  expect((await secrets(ring, 'reencrypt')).code).toBe(0);
  const next = parseKeyRing(NEXT);
  for (const row of await allTexts()) {
    const [first, second, ...rest] = textsOf(row);
    for (const [place, text] of [second!, ...rest].entries()) {
      const of = { tenantId: row.tenantId, endpointId: row.endpointId, field: FIELDS[place]! };
      expect(openSecret(next, of, text)).toBe(`${CANARY} ${of.field}`);
    }
    expect(sealOf(first!)).toEqual({ format: 'v2', keyId: next.sealing.keyId });
  }
  expect(await standing()).toEqual(before);
  const detail = { endpoints: 3, values: 18, first: 'ep_1', last: 'ep_3' };
  expect(await audited()).toEqual([{ actor: 'cli', actorName: 'zoe', subject: keyIdOf(NEXT), detail }]);

  const again = await secrets({ SECRETS_KEYS: NEXT }, 'reencrypt');
  expect([again.code, again.err]).toEqual([0, expect.stringMatching(/ 0 values .* 18 were so already/)]);
  expect(await audited()).toHaveLength(1);
  expect((await verifyAuditLog(database.sql, [])).faults).toEqual([]);
  expect((await secrets({ SECRETS_KEYS: NEXT }, 'status')).out).toBe(`${keyIdOf(NEXT)}\tv2\t18\tseals\n`);
});

test('what does not open, and what lies in another row than it was sealed for, stays, is named, and ends it with 1', async () => {
  await addWebhook('acme', 'ep_4', parseKeyRing(LOST));
  await addWebhook('acme', 'ep_5', parseKeyRing(OLD));
  await database.sql`
    update endpoints set sealed_auth = (select sealed_auth from endpoints where endpoint_id = 'ep_1')
    where endpoint_id = 'ep_3'`;
  const ring = { SECRETS_KEYS: `${OLD},${NEXT}` };
  const { code, err } = await secrets(ring, 'reencrypt');
  expect(code).toBe(1);
  expect(err).toContain(
    `acme ep_4 auth: secret was sealed with key ${keyIdOf(LOST)}, which is not in the key ring`,
  );
  expect(err).toContain(
    'globex ep_3 auth: sealed secret does not open: it was changed, or belongs to another row',
  );
  expect(err).toContain('7 do not open and stay as they are');
  for (const row of await allTexts()) {
    if (row.endpointId === 'ep_4') continue;
    const moved = row.endpointId === 'ep_3' ? [row.sealedAuth] : [];
    const others = textsOf(row).filter((text) => !moved.includes(text));
    for (const text of others) expect(sealOf(text)?.keyId).toBe(keyIdOf(OLD));
  }
  const status = await secrets(ring, 'status');
  expect([status.code, status.err]).toEqual([1, expect.stringContaining('6 values cannot be opened')]);
  expect(status.out).toContain(`${keyIdOf(LOST)}\tv2\t6\tcannot be opened`);
});

test('a key ring that is missing ends the command with a line, and no secret is in any output', async () => {
  const { code, err } = await secrets({}, 'status');
  expect([code, err]).toEqual([1, expect.stringContaining('SECRETS_KEYS is missing')]);
  const outputs = await Promise.all([
    secrets({ SECRETS_KEYS: LOST }, 'status'),
    secrets({ SECRETS_KEYS: LOST }, 'reencrypt', '--dry-run'),
  ]);
  for (const { out, err } of outputs)
    for (const secret of [CANARY, 'v2.', LOST.slice(0, 20)]) expect(out + err).not.toContain(secret);
});
