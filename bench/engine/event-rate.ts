import { type Bench, createTenants, startSystem } from '../system.ts';
import { type Crew, type Load, send, startCrew } from './crew.ts';
import type { Finding } from './finding.ts';

/**
 * A tenant's event rate over two replicas of the API: what is admitted of twice as much at each of them, and of just
 * less than the limit in all. Nothing is delivered: the tenant has no endpoint.
 */
const LIMIT = 200;
const TOO_MUCH = 2 * LIMIT;
const WITHIN = 0.4 * LIMIT;
const MOST_OFF = 0.05;

export async function measureEventRate(
  bench: Bench,
  { runs, seconds }: { readonly runs: number; readonly seconds: number },
): Promise<Finding> {
  const system = await startSystem(bench, { withWorker: false });
  const crews = [await startCrew(0), await startCrew(0)] as const;
  try {
    const urls = [system.api.url, await system.startIngest()];
    const sendToEach = async (eventsPerSec: number) => {
      const [tenant] = await createTenants(system.api, {
        count: 1,
        receiverPort: 1,
        endpoints: 0,
        quotas: { max_events_per_sec: LIMIT },
      });
      return sendAll(crews, urls, { tenants: [tenant!], eventsPerSec, seconds });
    };
    const shares: number[] = [];
    let refused = 0;
    for (let i = 0; i < runs; i++) {
      bench.say(`event-rate: ${TOO_MUCH} a second to each`);
      shares.push((await sendToEach(TOO_MUCH)).accepted / (LIMIT * seconds));
      bench.say(`event-rate: ${WITHIN} a second to each`);
      const within = await sendToEach(WITHIN);
      refused += within.sent - within.accepted;
    }
    return {
      workload: 'event-rate',
      figures: [
        { name: 'limit, over two replicas', value: LIMIT, unit: 'events/s' },
        { name: 'sent to each', value: TOO_MUCH, unit: 'events/s' },
        { name: `admitted in ${seconds} s / limit, most`, value: Math.max(...shares), atMost: 1 + MOST_OFF },
        {
          name: `admitted in ${seconds} s / limit, least`,
          value: Math.min(...shares),
          atLeast: 1 - MOST_OFF,
        },
        { name: `refused of ${WITHIN} events/s to each`, value: refused, unit: 'events', atMost: 0 },
      ],
    };
  } finally {
    await system.stop('kill');
    for (const crew of crews) crew.stop();
  }
}

async function sendAll(crews: readonly Crew[], urls: readonly string[], load: Omit<Load, 'url'>) {
  const reports = await Promise.all(crews.map((crew, i) => send(crew, { ...load, url: urls[i]! })));
  const sum = (of: 'sent' | 'accepted') => reports.reduce((all, report) => all + report[of], 0);
  return { sent: sum('sent'), accepted: sum('accepted') };
}
