import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '@posthorn/testkit';
import {
  type ClusterNode,
  kafkaLogSettings,
  kafkaProperties,
  type ProxiedListener,
  type SecuredListeners,
} from './kafka-settings.ts';
import { scramArguments } from './secured-infra.ts';
import { type ServerProcess, spawnServer, waitUntilReady } from './server-process.ts';

const run = promisify(execFile);
const FORMAT_MS = 60_000;
const READY_MS = 60_000;
const HEAP_MB = 512;
const SHORT_LIVED = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];
const LONG_LIVED = ['-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20'];

export type EmbeddedKafka = { brokers: string; server: ServerProcess };

export type KafkaOptions = {
  /** Holds the data, the settings and the log. */
  dir: string;
  libs: string;
  port?: number;
  /** Given to a broker that is to come back: what it wrote names it. */
  controllerPort?: number;
  host?: string;
  proxied?: readonly ProxiedListener[];
  /** One of a cluster, which the others of it must join before it is up. */
  node?: ClusterNode;
  /** Listeners with TLS, and accounts, for tests of them. */
  secured?: SecuredListeners | undefined;
  /** Put before the command line, such as `ip netns exec NAME`. */
  wrapper?: readonly string[];
  /** A broker for one test run: compiled lightly, so that it is up sooner and takes less of the CPU. */
  shortLived?: boolean;
  signal?: AbortSignal;
  onSpawn?: (pid: number) => void;
};

/** Starts one Kafka broker on loopback; data in `dir` is used again when it is there. */
export async function startEmbeddedKafka(options: KafkaOptions): Promise<EmbeddedKafka> {
  const { dir, libs, signal } = options;
  const port = options.port ?? (await freePort());
  const logFile = join(dir, 'kafka.log');
  const settingsFile = join(dir, 'server.properties');
  const dataDir = join(dir, 'data');
  await mkdir(dir, { recursive: true });
  await rm(logFile, { force: true });
  const controllerPort = options.controllerPort ?? (await freePort());
  const { host, proxied, node, secured } = options;
  const place = { dataDir, port, controllerPort, host, proxied, node, secured };
  await writeFile(settingsFile, kafkaProperties(place), { mode: 0o600 });
  await writeFile(join(dir, 'log4j2.properties'), kafkaLogSettings(logFile));
  const java = ['-cp', `${libs}/*`, `-Dlog4j2.configurationFile=${join(dir, 'log4j2.properties')}`];
  await formatOnce({ dataDir, java, settingsFile, node, secured, signal });
  signal?.throwIfAborted();
  const compile = options.shortLived ? SHORT_LIVED : LONG_LIVED;
  const heap = [`-Xms${HEAP_MB / 2}m`, `-Xmx${HEAP_MB}m`];
  const [command, ...args] = [...(options.wrapper ?? []), 'java', ...heap, ...compile, ...java];
  const server = spawnServer({
    command: command!,
    args: [...args, 'kafka.Kafka', settingsFile],
    logFile: join(dir, 'kafka.out'),
  });
  options.onSpawn?.(server.pid);
  try {
    const ready = async () =>
      (await readFile(logFile, 'utf8').catch(() => '')).includes('Kafka Server started');
    await waitUntilReady({ name: 'Kafka', server, logFile, timeoutMs: READY_MS, signal, ready });
  } catch (error) {
    await server.stop('SIGKILL', 0);
    throw error;
  }
  return { brokers: `${host ?? '127.0.0.1'}:${port}`, server };
}

type Format = {
  dataDir: string;
  java: string[];
  settingsFile: string;
  node: ClusterNode | undefined;
  secured: SecuredListeners | undefined;
  signal: AbortSignal | undefined;
};

/** A format that was cut short leaves no meta.properties, and is done again. */
async function formatOnce({ dataDir, java, settingsFile, node, secured, signal }: Format): Promise<void> {
  if (await stat(join(dataDir, 'meta.properties')).catch(() => undefined)) return;
  await rm(dataDir, { recursive: true, force: true });
  const clusterId = node?.clusterId ?? randomBytes(16).toString('base64url');
  const tool = [
    'kafka.tools.StorageTool',
    'format',
    ...(node ? [] : ['--standalone']),
    `--cluster-id=${clusterId}`,
    '-c',
    settingsFile,
    ...(secured ? scramArguments(secured) : []),
  ];
  await run('java', ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', ...java, ...tool], {
    timeout: FORMAT_MS,
    signal,
  }).catch((error) => {
    signal?.throwIfAborted();
    const lastWord = String(error.stderr || error.message)
      .trim()
      .split('\n')
      .at(-1);
    throw new Error(`Kafka's data folder ${dataDir} could not be formatted: ${lastWord}`);
  });
}
