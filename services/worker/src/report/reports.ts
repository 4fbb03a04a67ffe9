import type { JournalEntry } from '@posthorn/contracts';
import { type Database, listDrainingTenants } from '@posthorn/db';
import type { ConsumerStats } from '@posthorn/kafka';
import type { Clock, Logger, Part } from '@posthorn/runtime';
import type { LaneConsumer } from '../intake/consume-lanes.ts';
import type { DeliveryWork } from '../intake/delivery-work.ts';
import type { Scheduler } from '../schedule/scheduler.ts';
import type { CircuitReport } from './report-circuits.ts';
import { createDrainReport } from './report-drained.ts';
import { createLoadReport } from './report-load.ts';

export interface ReportsOptions {
  readonly workerId: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly database: Pick<Database, 'sql'>;
  readonly journal: { append(entry: JournalEntry): Promise<void> };
  readonly pipeline: {
    readonly intake: Pick<LaneConsumer, 'isDrained' | 'passedOver'>;
    readonly scheduler: Pick<Scheduler<DeliveryWork>, 'loads'>;
    readonly circuits: Pick<CircuitReport, 'closeAll'>;
  };
  stats(): ConsumerStats;
}

const LOAD_INTERVAL_MS = 1_000;
const DRAIN_INTERVAL_MS = 5_000;

/** What a worker says of itself in the journal, beside what happened to deliveries. */
export function createReports(options: ReportsOptions): Part {
  const { clock, log, workerId, database, pipeline, stats } = options;
  const journal = (entry: JournalEntry) => options.journal.append(entry);
  const reportLoad = createLoadReport({
    workerId,
    clock,
    journal,
    loads: () => pipeline.scheduler.loads(),
    passedOver: () => pipeline.intake.passedOver(),
  });
  const reportDrained = createDrainReport({
    clock,
    log,
    journal,
    listDraining: () => listDrainingTenants(database.sql),
    isDrained: (lane, tenantId) => pipeline.intake.isDrained(lane, tenantId, stats()),
  });
  const timers: NodeJS.Timeout[] = [];
  let looking = false;

  async function lookForDrained(): Promise<void> {
    if (looking) return;
    looking = true;
    // With Postgres away nobody changes lanes either: the next look finds what there is.
    await reportDrained().catch((error: unknown) => log.debug({ err: error }, 'draining lanes not known'));
    looking = false;
  }

  return {
    name: 'reports',
    start() {
      timers.push(setInterval(reportLoad, LOAD_INTERVAL_MS));
      timers.push(setInterval(() => void lookForDrained(), DRAIN_INTERVAL_MS));
    },
    stop() {
      for (const timer of timers.splice(0)) clearInterval(timer);
      // What it held is nobody's load any more.
      reportLoad();
      pipeline.circuits.closeAll();
    },
  };
}
