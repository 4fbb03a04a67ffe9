/** Every package of the lockfile that is not a file of the registry with its SHA-512. */
export function lockfileFaults(lockfile: string): string[] {
  const entries = [...packagesOf(lockfile).matchAll(/^ {2}(\S.*):\n {4}resolution: (\{.*\})$/gm)];
  const named = [...packagesOf(lockfile).matchAll(/^ {2}\S.*:$/gm)].length;
  if (entries.length === 0 || entries.length !== named)
    return [
      `${named - entries.length} of ${named} packages of the lockfile say nothing of where they are from`,
    ];
  return entries
    .filter(([, , resolution]) => !/^\{integrity: sha512-[A-Za-z0-9+/]{86}==\}$/.test(resolution!))
    .map(([, name, resolution]) => `${name!.trim()} is ${resolution}`);
}

const packagesOf = (lockfile: string): string => between(lockfile, '\npackages:\n', '\nsnapshots:\n');

const EXACT = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/;

/** Every version of the catalog that is not an exact one. */
export function catalogFaults(workspace: string): string[] {
  const lines = [...between(workspace, '\ncatalog:\n', '\n\n').matchAll(/^ {2}"?([^":\s]+)"?: (\S+)$/gm)];
  if (lines.length === 0) return ['the catalog was not found'];
  return lines
    .filter(([, , version]) => !EXACT.test(version!))
    .map(([, name, version]) => `${name} ${version}`);
}

export interface AllowedBuild {
  readonly name: string;
  readonly mayRun: boolean;
  readonly reason: string;
}

export function allowedBuilds(workspace: string): AllowedBuild[] {
  const lines = between(workspace, '\nallowBuilds:\n', '\n\n').matchAll(
    /^ {2}"?([^":\s]+)"?: (true|false)(?: # (.+))?$/gm,
  );
  return [...lines].map(([, name, mayRun, reason]) => ({
    name: name!,
    mayRun: mayRun === 'true',
    reason: reason ?? '',
  }));
}

interface Manifest {
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly license?: string;
}

/** Scripts that pnpm or npm would run by themselves, here or where our packages are installed. */
const RUN_BY_ITSELF = /^(pre|post)?(install|prepare)$|^prepublish$|^dependencies$/;

/** What a manifest of ours has that is not pinned by the catalog, or runs without being called. */
export function manifestFaults(path: string, text: string): string[] {
  const manifest: Manifest = JSON.parse(text);
  const wanted = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
  return [
    ...Object.entries(wanted)
      .filter(([, version]) => version !== 'catalog:' && !version.startsWith('workspace:'))
      .map(([name, version]) => `${path} wants ${name} ${version}, which the catalog does not pin`),
    ...Object.keys(manifest.scripts ?? {})
      .filter((script) => RUN_BY_ITSELF.test(script))
      .map((script) => `${path} has a script ${script}, which runs by itself`),
    ...(manifest.license === undefined ? [`${path} names no license`] : []),
  ];
}

function between(text: string, start: string, end: string): string {
  const from = text.indexOf(start);
  if (from === -1) return '';
  const to = text.indexOf(end, from + start.length);
  return text.slice(from + start.length - 1, to === -1 ? undefined : to + 1);
}
