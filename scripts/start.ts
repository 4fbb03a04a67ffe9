import { once } from 'node:events';
import { join, resolve } from 'node:path';
import type { LiveLines } from './demo/live-lines.ts';
import { listenForInterrupt } from './interrupt.ts';
import { tryLock } from './lock.mjs';
import { readRunFile } from './run-file.mjs';
import { startDemo } from './start/demo.ts';
import { parseOptions, type StartOptions, USAGE } from './start/options.ts';
import type { LogLine } from './start/services.ts';
import { createStopList } from './start/stop-list.ts';
import { startSystem } from './start/system.ts';
import { watchServices } from './start/watch.ts';

/**
 * `npm start`: the whole system on this machine.
 *
 * Modes: starting → running → stopping → ended. Ctrl-C moves from either of the first two to stopping, a second one
 * ends at once what is still stopping; a service that ends by itself, or a start that fails, does the same as Ctrl-C.
 */
const root = resolve(import.meta.dirname, '..');
const dir = join(root, '.posthorn');
const startedAt = performance.now();
const say = (line: string) => console.log(line);
// A terminal that was closed takes no more lines; that must not end us before the rest has stopped.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

async function run(options: StartOptions): Promise<void> {
  const release = await tryLock('run', root);
  if (!release) throw new Error(await alreadyRuns());
  const interrupt = listenForInterrupt();
  const stops = createStopList();
  let live: LiveLines | undefined;
  const system = {
    root,
    dir,
    start: options,
    interrupt,
    stops,
    say,
    onLine: (_: string, line: LogLine) => live?.take(line),
  };
  try {
    const running = await startSystem(system);
    if (options.demo) live = await startDemo(running, system);
    if (options.watch) stops.add('watch', watch(running.restart));
    const took = ((performance.now() - startedAt) / 1000).toFixed(1);
    say(`Posthorn is up in ${took} s: http://127.0.0.1:${options.port}/v1 (Ctrl-C stops it)`);
    await Promise.race([running.failed, once(interrupt.stop, 'abort')]);
  } catch (error) {
    if (!interrupt.stop.aborted) throw error;
  } finally {
    if (interrupt.stop.aborted) say('Stopping; Ctrl-C again stops at once');
    await stops.run(interrupt.hurry, say);
    if (interrupt.stop.aborted) say('Stopped. Data stays in .posthorn');
    release();
  }
}

function watch(restart: (names: Parameters<Parameters<typeof watchServices>[1]>[0]) => Promise<void>) {
  const close = watchServices(root, (names) => {
    restart(names).catch((error) => say(error instanceof Error ? error.message : String(error)));
  });
  return async () => close();
}

async function alreadyRuns(): Promise<string> {
  const owner = (await readRunFile(join(dir, 'run.json'))).find(({ name }) => name === 'npm start');
  const pid = owner ? `, or kill ${owner.pid}` : '';
  return `Posthorn runs here already: stop it first (Ctrl-C where it runs${pid})`;
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) say(USAGE);
  else await run(options);
  process.exit(0);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
