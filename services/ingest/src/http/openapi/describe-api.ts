import { type AppParts, createApi } from '../app.ts';
import { inReadingOrder, type ServedOperation } from './assemble.ts';

/** The API as it is declared, without anything behind it. */
export async function describeApi(): Promise<{
  readonly document: object;
  readonly operations: readonly ServedOperation[];
}> {
  const api = createApi(NOTHING);
  await api.app.ready();
  const described = { document: api.document(), operations: inReadingOrder(api.operations()) };
  await api.app.close();
  return described;
}

/** Routes look at their parts when they are asked, not when they are declared. */
const NOTHING = { maxConnections: 1, urlFault: () => null } as unknown as AppParts;
