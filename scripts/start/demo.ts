import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createApi } from '../demo/api.ts';
import { ensureDemoEventType } from '../demo/event-type.ts';
import { type LiveLines, startLiveLines } from '../demo/live-lines.ts';
import { type GuideFacts, guide, guideVariables } from '../demo/print-guide.ts';
import { startDemoReceiver } from '../demo/receiver.ts';
import { ensureDemoTenant, readDemoTenant } from '../demo/tenant.ts';
import { startTraffic } from '../demo/traffic.ts';
import { DEMO_CIDRS, type System, type SystemOptions, step } from './system.ts';

/** Makes the demo tenant, prints what to try, and lets events flow. Answers what shows them. */
export async function startDemo(system: System, options: SystemOptions): Promise<LiveLines | undefined> {
  const { dir, start, interrupt, stops, say } = options;
  const file = join(dir, 'demo.json');
  const receiver = await startDemoReceiver((await readDemoTenant(file))?.receiverPort ?? 0);
  // The services stop first, so that what they have in flight is still answered.
  stops.add('demo receiver', () => receiver.close());
  const api = `http://127.0.0.1:${start.port}`;
  const operator = createApi(api, system.keys.operatorKey, interrupt.stop);
  const tenant = await step(say, 'Demo tenant with endpoints well, shaky and broken', async () => {
    await ensureDemoEventType(operator);
    return ensureDemoTenant(operator, receiver, file);
  });
  const { tenantId, tenantKey } = tenant;
  const traffic = await startTraffic(createApi(api, tenantKey, interrupt.stop), tenantId, say);
  stops.add('demo traffic', async () => traffic.stop());
  if (start.quiet) return undefined;
  await showGuide(say, dir, {
    api,
    operatorKey: system.keys.operatorKey,
    tenantId,
    tenantKey,
    receiver: receiver.url(''),
    firstEventId: traffic.firstEventId,
    logDir: system.logDir,
    variablesFile: join(dir, 'guide.env'),
  });
  const names = new Map(Object.entries(tenant.webhookIds).map(([name, id]) => [id, name]));
  const live = startLiveLines({ print: say, colour: process.stdout.isTTY && !process.env.NO_COLOR, names });
  stops.add('live lines', async () => live.stop());
  return live;
}

async function showGuide(say: (line: string) => void, dir: string, facts: GuideFacts): Promise<void> {
  const text = guide(facts);
  const file = join(dir, 'guide.txt');
  await writeFile(file, text, { mode: 0o600 });
  await writeFile(facts.variablesFile, guideVariables(facts), { mode: 0o600 });
  say(
    `Endpoints may be in ${DEMO_CIDRS} here, for the demo's receiver; elsewhere only public addresses are sent to.`,
  );
  say(text);
  say(`(These lines are kept in ${file}.)\n`);
}
