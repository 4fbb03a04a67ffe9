import type { TopicNames } from '@posthorn/contracts';
import type { Consumer, OutboundRecord } from '@posthorn/kafka';
import type { Clock, Logger } from '@posthorn/runtime';
import type { TenantConfigs } from '@posthorn/tenant-config';
import type { WorkerMetrics } from '../metrics.ts';
import type { Scheduler } from '../schedule/scheduler.ts';
import type { DeliveryWork } from './delivery-work.ts';
import type { Mover } from './move-records.ts';
import type { Repeats } from './repeats.ts';
import type { TakeIn } from './take-in.ts';

/** What intake asks of the consumer. */
export type LaneReader = Pick<Consumer, 'resume' | 'park' | 'reread' | 'mayBegin'>;

/** What the intake of every lane works with. */
export interface IntakeParts {
  readonly scheduler: Scheduler<DeliveryWork>;
  readonly repeats: Repeats;
  readonly takeIn: TakeIn;
  readonly mover: Mover;
  readonly topics: Pick<TopicNames, 'deliveries' | 'overflow'>;
  readonly configs: Pick<TenantConfigs, 'peek'>;
  readonly reader: LaneReader;
  readonly clock: Clock;
  readonly log: Logger;
  readonly maxRuns: number;
  readonly metrics: IntakeMetrics;
  /** A name that no other assignment of any worker has. */
  nameAssignment(): string;
  /** Outside the fence: the new owner of a lane waits for it. */
  produceHeld(record: OutboundRecord): Promise<unknown>;
}

export type IntakeMetrics = Pick<WorkerMetrics, 'moved' | 'passedOver' | 'announced'>;
