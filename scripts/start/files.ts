/** In `.posthorn`: where the Postgres of a running system is. */
export const DATABASE_FILE = 'database-url';
/** In `.posthorn`: what its services were given as keys. */
export const KEYS_FILE = 'keys.json';
