import { type Database, EVERY_TENANT, openDatabase } from '@posthorn/db';
import { databaseUrl } from '@posthorn/testkit';

export interface Databases {
  /** With the rights of the recorder. */
  readonly database: Database;
  /** For what a test prepares and looks at, as the owner of the tables. */
  readonly owner: Database;
  close(): Promise<void>;
}

export async function openDatabases(): Promise<Databases> {
  const options = { url: await databaseUrl(), pool: 4, applicationName: 'test' };
  const owner = openDatabase(options);
  const database = openDatabase({ ...options, role: 'posthorn_recorder', tenant: EVERY_TENANT });
  const close = async () => void (await Promise.all([database.close(), owner.close()]));
  return { database, owner, close };
}
