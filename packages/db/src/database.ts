import postgres from 'postgres';
import { socketOptions } from './open-socket.ts';
import type { DatabaseTls } from './secure-socket.ts';

/** The driver's handle: a pool (`openDatabase`) or a transaction. Queries take either. */
export type Sql = postgres.Sql<{ bigint: number }> | postgres.TransactionSql<{ bigint: number }>;
export type PoolSql = postgres.Sql<{ bigint: number }>;

export interface Database {
  readonly sql: PoolSql;
  /** Ends the connections; queries under way get `timeoutMs` to finish. Safe twice. */
  close(timeoutMs?: number): Promise<void>;
  /** Whether Postgres answers within `timeoutMs`. */
  ping(timeoutMs?: number): Promise<boolean>;
}

export interface DatabaseOptions {
  readonly url: string;
  /** Null for plain text; left out, what the URL says. */
  readonly tls?: DatabaseTls | null;
  /** Most connections. */
  readonly pool: number;
  /** Seen in `pg_stat_activity`. */
  readonly applicationName: string;
  /** The database role that statements run as; left out, the login's own rights. */
  readonly role?: string | undefined;
  /** Whose rows row security lets through: one tenant's, or EVERY_TENANT; left out, nobody's (but to the tables' owner). */
  readonly tenant?: string;
  readonly connectTimeoutMs?: number;
  /** Longest time of one statement, by the server's clock. */
  readonly statementTimeoutMs?: number;
  /** A connection on which nothing moves for this long is given up, idle ones too; longer than any statement. */
  readonly silenceTimeoutMs?: number;
  readonly log?: { debug(fields: object, message: string): void };
}

export const DEFAULT_CONNECT_TIMEOUT_MS = 5_000;
export const DEFAULT_STATEMENT_TIMEOUT_MS = 10_000;
export const DEFAULT_SILENCE_TIMEOUT_MS = 30_000;
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 30_000;
const DEFAULT_PING_TIMEOUT_MS = 1_000;
const DEFAULT_CLOSE_TIMEOUT_MS = 2_000;
const MAX_RECONNECT_DELAY_S = 1;

/** Connects lazily and again after a loss. Result columns come in camelCase, `bigint` as a number. */
export function openDatabase(options: DatabaseOptions): Database {
  const { connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS, silenceTimeoutMs = DEFAULT_SILENCE_TIMEOUT_MS } =
    options;
  const closing = new AbortController();
  const limits = { connectTimeoutMs, silenceTimeoutMs, closing: closing.signal };
  const sql = postgres(options.url, {
    ...socketOptions(options.url, options.tls, limits),
    max: options.pool,
    connect_timeout: connectTimeoutMs / 1_000,
    backoff: (retries: number) => Math.min(MAX_RECONNECT_DELAY_S, 0.05 * 2 ** retries),
    keep_alive: 10,
    onnotice: (notice) => options.log?.debug({ notice: notice.message }, 'postgres notice'),
    transform: { column: { from: postgres.toCamel } },
    types: { bigint: { to: 20, from: [20], parse: Number, serialize: String } },
    connection: {
      application_name: options.applicationName,
      statement_timeout: options.statementTimeoutMs ?? DEFAULT_STATEMENT_TIMEOUT_MS,
      // A client that vanished inside a transaction must not hold its locks.
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
      ...(options.role === undefined ? {} : { role: options.role }),
      ...(options.tenant === undefined ? {} : { 'posthorn.tenant': options.tenant }),
    },
  });
  let answering: Promise<unknown> | undefined;
  return {
    sql,
    async close(timeoutMs = DEFAULT_CLOSE_TIMEOUT_MS) {
      await sql.end({ timeout: timeoutMs / 1_000 });
      closing.abort(new Error('the database was closed'));
    },
    async ping(timeoutMs = DEFAULT_PING_TIMEOUT_MS) {
      try {
        // One that hangs is waited for again instead of being joined by more.
        answering ??= sql`select 1`.then().finally(() => {
          answering = undefined;
        });
        await within(timeoutMs, answering);
        return true;
      } catch {
        return false;
      }
    },
  };
}

export class DatabaseTimeoutError extends Error {
  override name = 'DatabaseTimeoutError';
}

/**
 * A server that hangs with its connections open answers nothing, its own time-out neither: whoever must go on waits
 * with this. The query itself is left to the driver.
 * @throws DatabaseTimeoutError
 */
export async function within<T>(timeoutMs: number, query: PromiseLike<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DatabaseTimeoutError(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([query, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Runs `work` in a transaction of its own, or in a savepoint when it is given a transaction. */
export async function inTransaction<T>(sql: Sql, work: (transaction: Sql) => Promise<T>): Promise<T> {
  const run = (transaction: postgres.TransactionSql<{ bigint: number }>) => work(transaction);
  return (await ('begin' in sql ? sql.begin(run) : sql.savepoint(run))) as T;
}

/**
 * Whether an error is about the data that was sent (SQLSTATE classes 21, 22, 23 and 54: wrong value, broken
 * constraint, too large; the driver's own word for a missing value), so that sending it again would fail again. Anything else may pass.
 */
export function isDataError(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && (code === 'UNDEFINED_VALUE' || /^(21|22|23|54)[0-9A-Z]{3}$/.test(code));
}
