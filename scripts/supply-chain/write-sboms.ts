import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SPEC = ['--sbom-format', 'cyclonedx', '--sbom-spec-version', '1.6', '--prod'];

/** As infra/service.Dockerfile builds them; each carries the command line. */
export const IMAGES = ['ingest', 'dispatcher', 'worker', 'recorder', 'setup'] as const;
/** What is published to the registry. */
export const PUBLISHED = ['signing'] as const;

export interface Sbom {
  readonly bomFormat: 'CycloneDX';
  readonly specVersion: string;
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
}

interface Component {
  readonly type: string;
  readonly name: string;
  readonly version?: string;
  readonly purl?: string;
  readonly 'bom-ref'?: string;
  readonly licenses?: readonly object[] | undefined;
}

interface Place {
  /** Of the checkout. */
  readonly root: string;
  /** Where the files go; it is made. */
  readonly folder: string;
  readonly version: string;
}

/**
 * One CycloneDX document for each image and each published package: `posthorn-<image>.cdx.json`. What an image has
 * beside packages (Node, Debian) is told by the attestation that the build of the image makes.
 */
export async function writeSboms(place: Place): Promise<string[]> {
  const files: string[] = [];
  for (const image of IMAGES) files.push(await writeImageSbom(place, image));
  for (const name of PUBLISHED) files.push(await writePackageSbom(place, name));
  return files;
}

export async function writeImageSbom(place: Place, image: (typeof IMAGES)[number]): Promise<string> {
  const name = `posthorn-${image}`;
  const made = await askPnpm(place, [`@posthorn/${image}`, '@posthorn/cli']);
  return write(place, name, asImage(made, name, place.version));
}

const writePackageSbom = async (place: Place, name: (typeof PUBLISHED)[number]): Promise<string> =>
  write(place, `posthorn-${name}`, await askPnpm(place, [`@posthorn/${name}`]));

async function askPnpm({ root, folder }: Place, packages: readonly string[]): Promise<Sbom> {
  await mkdir(folder, { recursive: true });
  const draft = join(folder, 'draft.json');
  const filters = packages.flatMap((name) => ['--filter', name]);
  await run('pnpm', [...filters, 'sbom', ...SPEC, '--out', draft], { cwd: root });
  const made: Sbom = JSON.parse(await readFile(draft, 'utf8'));
  await rm(draft);
  return made;
}

async function write({ folder }: Place, name: string, sbom: Sbom): Promise<string> {
  const file = join(folder, `${name}.cdx.json`);
  await writeFile(file, `${JSON.stringify(sbom, null, 2)}\n`);
  return file;
}

/** pnpm names the workspace as what is described when it is asked for more than one of its packages. */
function asImage(made: Sbom, name: string, version: string): Sbom {
  const { licenses, 'bom-ref': was } = made.metadata.component;
  const component: Component = { type: 'container', name, version, 'bom-ref': name, licenses };
  return {
    ...made,
    metadata: { ...made.metadata, component },
    dependencies: made.dependencies.map((entry) => (entry.ref === was ? { ...entry, ref: name } : entry)),
  };
}
