import type { Measurement } from './measure.ts';

/** The figures of one run, as a person reads them. `rawLoop`: CPU-seconds per 1,000 POSTs of the bare loop. */
export function describe(found: Measurement, rawLoop: number): string {
  const { workload, ackMs, deliveryMs } = found;
  const ms = (value: number) => `${value.toFixed(1)} ms`;
  const rows: [string, string][] = [
    [
      'offered',
      `${workload.eventsPerSec} events/s to ${workload.fanOut} endpoint(s), ${workload.seconds} s, ${workload.tenants} tenants`,
    ],
    ['accepted', `${found.accepted} of ${found.sent}${refusals(found)}`],
    [
      'delivered',
      `${found.delivered} of ${found.promised}: lost ${found.lost}, duplicates ${found.duplicates}`,
    ],
    ['sustained', `${found.deliveriesPerSec.toFixed(0)} deliveries/s`],
    ['ack', `p50 ${ms(ackMs.p50)}, p99 ${ms(ackMs.p99)}, max ${ms(ackMs.max)}`],
    ['due → receiver', `p50 ${ms(deliveryMs.p50)}, p99 ${ms(deliveryMs.p99)}, max ${ms(deliveryMs.max)}`],
    [
      'CPU',
      `${found.cpuSecPerThousand.toFixed(3)} s per 1,000 deliveries; N = ${(found.cpuSecPerThousand / rawLoop).toFixed(1)} (bare loop ${rawLoop.toFixed(4)})`,
    ],
    ['CPU by process', perProcess(found.cpuByProcess, 's')],
    ['memory', perProcess(found.residentMb, 'MB')],
    ['sender lag', ms(found.senderLagMs)],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return `${workload.name}\n${rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join('\n')}\n`;
}

function refusals(found: Measurement): string {
  const kinds = Object.entries(found.refused).map(([what, count]) => `${count} × ${what}`);
  return kinds.length > 0 ? `; others: ${kinds.join(', ')}` : '';
}

function perProcess(values: Readonly<Record<string, number>>, unit: string): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value.toFixed(unit === 's' ? 1 : 0)} ${unit}`)
    .join(', ');
}
