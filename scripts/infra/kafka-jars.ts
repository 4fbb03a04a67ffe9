import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const INSTALL = 'apt-get install openjdk-17-jre-headless maven';
const JAVA_AT_LEAST = 17;
const JAVA_ANSWER_MS = 10_000;
const DOWNLOAD_MS = 300_000;

export type Say = (line: string) => void;

/** Throws one line that says what to install when the host's Java is missing or too old. */
export async function checkJava(): Promise<void> {
  const answer = await run('java', ['-version'], { timeout: JAVA_ANSWER_MS }).catch((error) => {
    if (error.code === 'ENOENT') return undefined;
    throw new Error(`Java does not run (${firstLine(error.message)}): ${INSTALL}`);
  });
  if (!answer) {
    throw new Error(
      `Kafka needs Java ${JAVA_AT_LEAST} or newer, or a running Docker daemon, or KAFKA_BROKERS: ${INSTALL}`,
    );
  }
  const major = Number(/version "(?:1\.)?(\d+)/.exec(answer.stderr)?.[1]);
  if (major < JAVA_AT_LEAST)
    throw new Error(`Kafka needs Java ${JAVA_AT_LEAST} or newer, this is Java ${major}: ${INSTALL}`);
}

/** The folder with Kafka's jars, fetched with Maven when `pom` changed since the last time. */
export async function ensureKafkaJars(
  pom: string,
  toolchainDir: string,
  say: Say,
  signal?: AbortSignal,
): Promise<string> {
  const libs = join(toolchainDir, 'kafka', 'libs');
  const stamp = join(libs, '.complete');
  const wanted = createHash('sha256')
    .update(await readFile(pom))
    .digest('hex');
  if ((await readFile(stamp, 'utf8').catch(() => '')) === wanted) return libs;
  const startedAt = performance.now();
  say('Kafka: fetching its jars with Maven (43 MB, once)');
  const fresh = `${libs}.${process.pid}`;
  await mkdir(fresh, { recursive: true });
  try {
    await copyDependencies(pom, fresh, signal);
    await writeFile(join(fresh, '.complete'), wanted);
    await rm(libs, { recursive: true, force: true });
    await rename(fresh, libs);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  say(`Kafka: ${await megabytes(libs)} MB of jars in ${seconds} s`);
  return libs;
}

async function copyDependencies(pom: string, outputDirectory: string, signal?: AbortSignal): Promise<void> {
  const args = [
    '-q',
    '-B',
    '-Dstyle.color=never',
    '-f',
    pom,
    'dependency:copy-dependencies',
    '-DincludeScope=runtime',
  ];
  await run('mvn', [...args, `-DoutputDirectory=${outputDirectory}`], { timeout: DOWNLOAD_MS, signal }).catch(
    (error) => {
      if (error.code === 'ENOENT')
        throw new Error(`Kafka's jars are fetched with Maven, which is missing: ${INSTALL}`);
      const lines = String(error.stdout || error.stderr || error.message).split('\n');
      const cause = lines.find((line) => line.includes('ERROR')) ?? lines[0] ?? '';
      throw new Error(`Maven could not fetch Kafka's jars (is the network there?): ${cause.trim()}`);
    },
  );
}

async function megabytes(dir: string): Promise<number> {
  const sizes = await Promise.all(
    (await readdir(dir)).map(async (name) => (await stat(join(dir, name))).size),
  );
  return Math.round(sizes.reduce((sum, size) => sum + size, 0) / 1_000_000);
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}
