/** What a load test sends. Payloads are 1 KB, tenants 100, every delivery signed, all checks on. */
export interface Workload {
  readonly name: string;
  readonly eventsPerSec: number;
  /** Endpoints per tenant that match every event. */
  readonly fanOut: number;
  readonly seconds: number;
  readonly tenants: number;
  readonly receiverDelayMs: number;
}

const COMMON = { seconds: 30, tenants: 100, receiverDelayMs: 0 };

export const WORKLOADS: readonly Workload[] = [
  { name: 'fan-out-1', eventsPerSec: 2_000, fanOut: 1, ...COMMON },
  { name: 'fan-out-10', eventsPerSec: 600, fanOut: 10, ...COMMON },
  { name: 'ack-1000', eventsPerSec: 1_000, fanOut: 1, ...COMMON },
];
