import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { makeTenant } from '../rig/make-tenants.ts';
import { startRig } from '../rig/start-rig.ts';
import type { Scenario } from './scenario.ts';
import { takeNotes } from './under-load.ts';

type Answered = { readonly code?: string; readonly event_id?: string };

export const cutProduceReply: Scenario = {
  id: 'D10',
  title: 'when the reply to a produce is cut off the answer is 503, and the same key again makes one event',
  async run(world) {
    const rig = await startRig(world.infra, { proxied: true });
    const { notes, figures, broken } = takeNotes();
    try {
      const tenant = await makeTenant(rig, [{ label: 'prompt' }]);
      const post = (key: string) =>
        rig.api.call<Answered>('POST', '/v1/events', {
          key: tenant.key,
          headers: { 'idempotency-key': key },
          body: { tenant_id: tenant.tenantId, type: 'order.created', payload: { key } },
        });
      const [first, second] = [randomUUID(), randomUUID()];
      notes.expect((await post(first)).status === 202, 'the first event was not accepted');
      const links = rig.links.of('ingest-1').kafka;
      for (const link of links) link.silence('from-target');
      const unknown = await post(second);
      notes.figure('answer', `${unknown.status} ${unknown.body.code}`);
      notes.expect(unknown.status === 503, `the answer was ${unknown.status}, not 503`);
      notes.expect(unknown.headers['retry-after'] !== undefined, 'there was no Retry-After');
      for (const link of links) {
        link.heal();
        link.reset();
      }
      const again = await untilAccepted(() => post(second));
      const once = await post(second);
      notes.expect(once.body.event_id === again.event_id, 'the same key made two events');
      await delay(2_000);
      const arrivals = await rig.receiver.arrivals();
      const ids = new Set(arrivals.map(({ eventId }) => eventId));
      notes.figure('events_arrived', ids.size);
      notes.figure('requests', arrivals.length);
      notes.expect(
        ids.size === 2 && arrivals.length === 2,
        `${arrivals.length} requests for ${ids.size} events`,
      );
      return { figures, complaints: broken };
    } finally {
      await rig.close();
    }
  },
};

/** The key is held until it is certain whether its event is there. */
async function untilAccepted(post: () => Promise<{ status: number; body: Answered }>): Promise<Answered> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const answer = await post();
    if (answer.status === 202) return answer.body;
    if (performance.now() > deadline) throw new Error(`still ${answer.status} ${answer.body.code}`);
    await delay(500);
  }
}
