import { inTransaction, type PoolSql, type Sql } from './database.ts';

/** Whatever is sealed of an endpoint. */
export interface SealedTexts {
  readonly tenantId: string;
  readonly endpointId: string;
  readonly sealedSecrets: readonly string[];
  readonly sealedSigningKeys: readonly string[];
  readonly sealedHeaders: Readonly<Record<string, string>>;
  readonly sealedAuth: string | null;
  readonly sealedTls: string | null;
}

export interface SealedPage {
  /** The endpoint that the page before ended with; empty for the first. */
  readonly after: string;
  readonly limit: number;
  /** To the end of the transaction, against changes by others. */
  readonly locked?: boolean;
}

/** Endpoints of every tenant in every state, deleted ones too, after one in the order of their ids. */
export async function pageSealedTexts(
  sql: Sql,
  { after, limit, locked = false }: SealedPage,
): Promise<SealedTexts[]> {
  return sql<SealedTexts[]>`
    select tenant_id, endpoint_id, sealed_secrets, sealed_signing_keys, sealed_headers, sealed_auth, sealed_tls
    from endpoints where endpoint_id > ${after} order by endpoint_id limit ${limit}
    ${locked ? sql`for update` : sql``}`;
}

/** A transaction that may seal anew: what it does to endpoints is no change of the configuration (migration 0012). */
export const inResealing = <T>(sql: PoolSql, work: (transaction: Sql) => Promise<T>): Promise<T> =>
  inTransaction(sql, async (transaction) => {
    await transaction`set local posthorn.resealing = 'on'`;
    return work(transaction);
  });

export async function replaceSealedTexts(transaction: Sql, texts: SealedTexts): Promise<void> {
  await transaction`
    update endpoints set
      sealed_secrets = ${transaction.json([...texts.sealedSecrets])},
      sealed_signing_keys = ${transaction.json([...texts.sealedSigningKeys])},
      sealed_headers = ${transaction.json({ ...texts.sealedHeaders })},
      sealed_auth = ${texts.sealedAuth},
      sealed_tls = ${texts.sealedTls}
    where tenant_id = ${texts.tenantId} and endpoint_id = ${texts.endpointId}`;
}

export interface SealedCount {
  /** Of the text: `v1`, `v2`. */
  readonly format: string;
  readonly keyId: string;
  readonly texts: number;
}

/** How many texts are sealed in which form with which key, over all tenants. */
export async function countSealedTexts(sql: Sql): Promise<SealedCount[]> {
  return sql<SealedCount[]>`
    select split_part(text, '.', 1) as format, split_part(text, '.', 2) as key_id, count(*)::int as texts
    from endpoints cross join lateral (
      select jsonb_array_elements_text(sealed_secrets) as text
      union all select jsonb_array_elements_text(sealed_signing_keys)
      union all select value from jsonb_each_text(sealed_headers)
      union all select sealed_auth
      union all select sealed_tls
    ) as sealed where text is not null
    group by 1, 2 order by 3 desc, 1, 2`;
}
