/** Postgres' text has no NUL. */
export const storable = (text: string): string =>
  text.includes('\0') ? text.replaceAll('\0', '\uFFFD') : text;

/** Its jsonb refuses the escapes of NUL and of half a surrogate pair as well, which JSON allows. */
export function storableJson(json: string): string {
  if (!json.includes('\\u')) return json;
  const value: unknown = JSON.parse(json, (_key, each: unknown) => {
    if (typeof each === 'string') return storable(each).toWellFormed();
    if (typeof each !== 'object' || each === null || Array.isArray(each)) return each;
    return Object.fromEntries(Object.entries(each).map(([key, of]) => [storable(key).toWellFormed(), of]));
  });
  return JSON.stringify(value);
}
