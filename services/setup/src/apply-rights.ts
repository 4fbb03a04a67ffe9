import { type Database, grantServiceRights } from '@posthorn/db';

/**
 * Makes the roles of the services, and their rights what this release needs. A login that may not create roles is no
 * reason to stop: services run without them too, with the rights of their login.
 */
export async function applyRights(
  { sql }: Pick<Database, 'sql'>,
  prefix: string,
  say: (line: string) => void,
): Promise<void> {
  if (prefix === 'off') return say('database roles are left as they are');
  const { created, missing, changed } = await grantServiceRights(sql, prefix);
  for (const name of created) say(`database role ${name} created`);
  if (missing.length > 0)
    say(
      `database roles are missing, and this login may not create them: ${missing.join(', ')} (docs/guides/database-roles.md)`,
    );
  if (changed.length > 0) say(`rights of database roles set (${changed.length})`);
  else if (missing.length === 0) say('rights of database roles are set');
}
