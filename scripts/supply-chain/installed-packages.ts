import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface InstalledPackage {
  readonly name: string;
  readonly version: string;
  /** SPDX, or '' where its manifest says nothing. */
  readonly licence: string;
  readonly hasInstallScript: boolean;
}

interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly license?: string | { readonly type?: string };
  readonly licenses?: readonly { readonly type?: string }[];
  readonly scripts?: Readonly<Record<string, string>>;
}

const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall'];

/** What pnpm laid out below `root`, by the manifests that the packages came with; nothing is asked of a registry. */
export function installedPackages(root: string): InstalledPackage[] {
  const store = join(root, 'node_modules', '.pnpm');
  const folders = readdirSync(store).map((folder) => join(store, folder, 'node_modules'));
  return folders.filter((folder) => existsSync(folder)).flatMap(packagesIn);
}

/** Links lead to packages that have a folder of their own. */
function packagesIn(folder: string): InstalledPackage[] {
  const names = readdirSync(folder).flatMap((name) =>
    name.startsWith('@') ? readdirSync(join(folder, name)).map((inner) => join(name, inner)) : [name],
  );
  const own = names.map((name) => join(folder, name)).filter((path) => !lstatSync(path).isSymbolicLink());
  return own.filter((path) => existsSync(join(path, 'package.json'))).map(readPackage);
}

function readPackage(path: string): InstalledPackage {
  const manifest: Manifest = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
  return {
    name: manifest.name ?? '',
    version: manifest.version ?? '',
    licence: licenceOf(manifest),
    // npm compiles what has a binding.gyp, also without a script.
    hasInstallScript:
      INSTALL_SCRIPTS.some((script) => manifest.scripts?.[script] !== undefined) ||
      existsSync(join(path, 'binding.gyp')),
  };
}

function licenceOf({ license, licenses }: Manifest): string {
  if (typeof license === 'string') return license;
  const given = license ? [license] : (licenses ?? []);
  return given.map(({ type }) => type ?? '').join(' OR ');
}
