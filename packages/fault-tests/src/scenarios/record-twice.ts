import { setTimeout as delay } from 'node:timers/promises';
import { readRecords, writeRecords } from '../rig/write-records.ts';
import type { Scenario } from './scenario.ts';
import { runUnderLoad } from './under-load.ts';

const DOUBLED_MS = 6_000;

export const recordTwice: Scenario = {
  id: 'D17',
  title: 'what the recorder is told twice, within a batch and across batches, it writes once',
  run: (world) =>
    runUnderLoad(world, {
      async during(rig, notes) {
        const topics = ['journal', 'events', 'dead-letters'].map((name) => `${rig.topicPrefix}${name}`);
        // While it is away the journal grows: when it is back, an entry and its copies are in one batch.
        const fault = rig.harm('recorder', 'recorder-1', 'SIGTERM', true);
        await rig.fleet.member('recorder-1').stop();
        const reader = await readRecords(rig.infra.addresses, [topics[0]!]);
        await delay(DOUBLED_MS);
        const copies = [...reader.records];
        await reader.stop();
        await writeRecords(rig.infra.addresses, [...copies, ...copies]);
        await rig.fleet.member('recorder-1').start();
        rig.heal(fault);
        await writeRecords(rig.infra.addresses, copies);
        notes.figure('journal_records_copied', copies.length * 3);
        notes.expect(copies.length > 0, 'nothing was copied');
      },
      async after(_rig, notes, verdict, { attempts, deliveries }) {
        const doubled = attempts.filter(({ rows }) => rows > 1).length;
        notes.figure('attempt_rows_doubled', doubled);
        notes.expect(doubled === 0, `${doubled} attempts have more than one row`);
        const ids = new Set(deliveries.map(({ deliveryId }) => deliveryId));
        notes.expect(ids.size === deliveries.length, 'a delivery has more than one row');
        notes.expect(verdict.repeats.all === 0, `${verdict.repeats.all} duplicates`);
      },
    }),
};
