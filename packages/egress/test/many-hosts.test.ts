import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { propertyRuns } from '@posthorn/testkit';
import { expect, test } from 'vitest';
import { OK, respond, startRawReceiver } from './raw-receiver.ts';

/** More hosts than there are descriptors: ten thousand with 1,024 of them in the nightly run, few of both in a quick one. */
const HOSTS = Math.min(10_000, propertyRuns(500));
const DESCRIPTORS = HOSTS === 10_000 ? 1_024 : 256;
const CONNECTIONS = (DESCRIPTORS * 3) / 4;
const run = promisify(execFile);

test.skipIf(process.platform !== 'linux')(
  `${HOSTS} hosts are called with ${DESCRIPTORS} file descriptors: the longest idle connection makes room`,
  async () => {
    await using receiver = await startRawReceiver({ onRequest: respond(OK) });
    const script = new URL('call-many-hosts.ts', import.meta.url).pathname;
    const command = `ulimit -n ${DESCRIPTORS} && exec "$0" "$@"`;
    const call = [process.execPath, script, String(receiver.port), String(HOSTS)];
    const { stdout } = await run('/bin/sh', ['-c', command, ...call]);
    const told = JSON.parse(stdout);
    const most = { maxConnections: CONNECTIONS, openConnections: CONNECTIONS };
    expect(told).toMatchObject({ answered: HOSTS, failed: 0, ...most });
    expect(told.mostDescriptors).toBeLessThan(DESCRIPTORS);
    expect(receiver.connections).toBe(HOSTS);
  },
);
