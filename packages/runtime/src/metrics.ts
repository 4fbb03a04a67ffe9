import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Constructors for one service's metrics, all in one registry. Names are `posthorn_<noun>_<unit>`. */
export interface Metrics {
  readonly registry: Registry;
  counter<L extends string>(name: string, help: string, labelNames?: readonly L[]): Counter<L>;
  /** A gauge without labels that is read at every scrape. */
  gaugeOf(name: string, help: string, read: () => number): void;
  /** A counter that somebody else keeps: `total` is asked at every scrape, and never goes down in a process' life. */
  counterOf(name: string, help: string, total: () => number): void;
  gauge<L extends string>(
    name: string,
    help: string,
    labelNames?: readonly L[],
    collect?: (gauge: Gauge<L>) => void,
  ): Gauge<L>;
  histogram<L extends string>(
    name: string,
    help: string,
    buckets: readonly number[],
    labelNames?: readonly L[],
  ): Histogram<L>;
}

const NAME = /^posthorn_[a-z0-9_]+$/;

/** A registry with the metrics of Node and of the process in it; every series has the label `service`. */
export function createMetrics(service: string): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry });
  const named = (name: string): string => {
    if (!NAME.test(name)) throw new Error(`metric "${name}" does not start with posthorn_`);
    return name;
  };
  return {
    registry,
    counter: (name, help, labelNames = []) =>
      new Counter({ name: named(name), help, labelNames: [...labelNames], registers: [registry] }),
    gaugeOf(name, help, read) {
      new Gauge({
        name: named(name),
        help,
        registers: [registry],
        collect() {
          this.set(read());
        },
      });
    },
    counterOf(name, help, total) {
      new Counter({
        name: named(name),
        help,
        registers: [registry],
        collect() {
          this.reset();
          this.inc(total());
        },
      });
    },
    gauge: (name, help, labelNames = [], collect) =>
      new Gauge({
        name: named(name),
        help,
        labelNames: [...labelNames],
        registers: [registry],
        ...(collect
          ? {
              collect() {
                collect(this as never);
              },
            }
          : {}),
      }),
    histogram: (name, help, buckets, labelNames = []) =>
      new Histogram({
        name: named(name),
        help,
        buckets: [...buckets],
        labelNames: [...labelNames],
        registers: [registry],
      }),
  };
}
