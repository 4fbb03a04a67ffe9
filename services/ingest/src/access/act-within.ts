import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * In whose name Postgres is asked. Set once for each request, by who calls, so that no route can leave it out; what the
 * process does by itself says so where it does it. Asking in nobody's name is an error of ours.
 */
const acting = new AsyncLocalStorage<Acting>();

interface Acting {
  /** Null: for all tenants, as operators and the process itself do. */
  readonly tenantId: string | null;
}

/** Whatever `work` begins asks in this tenant's name; null for the installation's. */
export const actWithin = <T>(tenantId: string | null, work: () => T): T => acting.run({ tenantId }, work);

/** The same name for what is called later from elsewhere, such as by a stream that is read. */
export const keepActing = <Work extends (...given: never[]) => unknown>(work: Work): Work =>
  AsyncLocalStorage.bind(work);

/** @throws Error when it is nobody's. */
export function actingTenant(): string | null {
  const found = acting.getStore();
  if (found === undefined) throw new Error('Postgres is asked in nobody’s name');
  return found.tenantId;
}
