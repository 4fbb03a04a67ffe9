import type { Say } from '../infra/kafka-jars.ts';
import type { Api } from './api.ts';

const EVERY_MS = 1_000;
const TYPES = ['invoice.paid', 'order.created', 'user.signed_up', 'order.shipped', 'order.cancelled'];

export type Traffic = {
  /** Id of the first event of this run. */
  readonly firstEventId: string;
  stop(): void;
};

/** Posts one event a second until it is stopped. */
export async function startTraffic(api: Api, tenantId: string, say: Say): Promise<Traffic> {
  let sent = 0;
  let failing = false;
  const post = () => {
    const type = TYPES[sent % TYPES.length]!;
    sent += 1;
    const payload = { number: sent, total: `${(sent * 7.35).toFixed(2)} EUR`, at: new Date().toISOString() };
    return api.post<{ event_id: string }>('/v1/events', { tenant_id: tenantId, type, payload });
  };
  const first = await post();
  const timer = setInterval(() => {
    post().then(
      () => {
        failing = false;
      },
      (error: unknown) => {
        // Once per row of failures, not once per event.
        if (!failing) say(`An event was not accepted: ${error instanceof Error ? error.message : error}`);
        failing = true;
      },
    );
  }, EVERY_MS);
  return { firstEventId: first.event_id, stop: () => clearInterval(timer) };
}
