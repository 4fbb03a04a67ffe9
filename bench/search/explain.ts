import type { PoolSql } from '@posthorn/db';

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Actual Loops': number;
  readonly 'Actual Rows': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly PlanNode[];
}

/** A table of so many rows is best read as a whole. */
const FEW_ROWS = 1_000;

const DAY_PARTITION = /^(events|deliveries|attempts|dead_letters)_\d+_p\d{8}$/;

/**
 * A handle that runs every statement as it is and explains it as well: `partitions` are those that the plans have read,
 * `seqScans` the tables that were read
 * as a whole though they have more than a few rows.
 */
export function explaining(sql: PoolSql): {
  readonly sql: PoolSql;
  readonly partitions: ReadonlySet<string>;
  readonly seqScans: ReadonlySet<string>;
} {
  const partitions = new Set<string>();
  const seqScans = new Set<string>();

  function note(node: PlanNode): void {
    const table = node['Relation Name'];
    if (table !== undefined && node['Actual Loops'] > 0) {
      if (DAY_PARTITION.test(table)) partitions.add(table);
      const read = node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0);
      if (node['Node Type'] === 'Seq Scan' && read > FEW_ROWS) seqScans.add(table);
    }
    for (const child of node.Plans ?? []) note(child);
  }

  const handler: ProxyHandler<PoolSql> = {
    apply(target, _self, args: Parameters<PoolSql>) {
      const query = Reflect.apply(target, undefined, args) as PromiseLike<unknown> & object;
      // A part of a statement is never awaited.
      const run = async (): Promise<unknown> => {
        const again = Reflect.apply(target, undefined, args) as never;
        const [row] = await sql<{ 'QUERY PLAN': [{ Plan: PlanNode }] }[]>`
          explain (analyze, timing off, format json) ${again}`;
        note(Object.values(row!)[0]![0].Plan);
        return query;
      };
      const fulfil = query.then.bind(query);
      let begun = false;
      Object.defineProperty(query, 'then', {
        value: (...handlers: Parameters<typeof fulfil>) => {
          if (begun) return fulfil(...handlers);
          begun = true;
          return run().then(...(handlers as [never, never]));
        },
      });
      return query;
    },
  };
  return { sql: new Proxy(sql, handler), partitions, seqScans };
}
