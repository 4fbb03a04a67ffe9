import type { Producer } from '@posthorn/kafka';
import type { Logger } from '@posthorn/runtime';
import { type BrokerClock, SAMPLE_LIFE_MS } from './broker-clock.ts';

export const BEACON_HEADER = 'ph_beacon';

export interface BeaconOptions {
  readonly producer: Pick<Producer, 'send'>;
  /** A topic with LogAppendTime that the releaser itself reads: the shortest tier. */
  readonly topic: string;
  readonly brokerClock: BrokerClock;
  monotonicMs(): number;
  readonly log: Logger;
}

export interface Beacon {
  /** Resolves once the broker's clock is known. @throws ProduceError */
  start(): Promise<void>;
  stop(): void;
}

const CHECK_INTERVAL_MS = 1_000;

/** Writes a record whose append time tells the broker's clock: at the start, and whenever nothing newer was seen for 10 s. */
export function createBeacon(options: BeaconOptions): Beacon {
  const { brokerClock, monotonicMs } = options;
  let timer: NodeJS.Timeout | undefined;
  let underWay = false;

  async function write(): Promise<void> {
    const sentMs = monotonicMs();
    const ack = await options.producer.send({
      topic: options.topic,
      partition: 0,
      key: null,
      value: null,
      headers: { [BEACON_HEADER]: '1' },
    });
    if (ack.appendTimeMs === null)
      throw new Error(`topic ${options.topic} tells no append time: it needs LogAppendTime`);
    brokerClock.observe({ appendTimeMs: ack.appendTimeMs, sentMs, ackedMs: monotonicMs() });
  }

  async function writeWhenStale(): Promise<void> {
    if (underWay || brokerClock.ageMs < SAMPLE_LIFE_MS) return;
    underWay = true;
    try {
      await write();
    } catch (error) {
      // The last sample carries on: the monotonic clock drifts by milliseconds an hour.
      options.log.warn({ err: error }, "the broker's clock could not be asked");
    } finally {
      underWay = false;
    }
  }

  return {
    async start() {
      await write();
      timer = setInterval(() => void writeWhenStale(), CHECK_INTERVAL_MS);
    },
    stop() {
      clearInterval(timer);
    },
  };
}
