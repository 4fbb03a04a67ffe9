import { expect, test } from 'vitest';
import {
  circles,
  deepImports,
  fileGraph,
  importsOf,
  isProduction,
  namesHttpStatus,
  ownerOf,
  packageEdges,
  permittedEdges,
  readsEnvironment,
  type Source,
  undeclaredImports,
  unusedDependencies,
  type Workspace,
  workspaceGraph,
} from './boundaries.ts';
import { filesOf, readText } from './repository.ts';

const workspaces: Workspace[] = filesOf(
  '{packages,services}/*/package.json',
  '{bench,scripts}/package.json',
).map((path) => {
  const { name, exports, dependencies, devDependencies } = JSON.parse(readText(path));
  return {
    folder: path.replace('/package.json', ''),
    name,
    entries: Object.keys(exports ?? {}),
    dependencies: Object.keys(dependencies ?? {}),
    devDependencies: Object.keys(devDependencies ?? {}),
  };
});
const sources: Source[] = filesOf('{packages,services,bench,scripts}/**/*.{ts,mjs}').map((path) => ({
  path,
  text: readText(path),
}));
const production = sources.filter(isProduction);
const ARCHITECTURE = readText('docs/architecture.md');

test('there is something to hold to these rules', () => {
  expect(workspaces.length).toBeGreaterThan(12);
  expect(production.length).toBeGreaterThan(100);
  expect(permittedEdges(ARCHITECTURE).size).toBe(
    workspaces.filter((it) => it.folder.startsWith('packages/')).length,
  );
});

test('packages are imported through their exports, services not at all', () => {
  expect(deepImports(sources, workspaces)).toEqual([]);
});

test('no package of the workspace depends on itself around others', () => {
  expect(circles(workspaceGraph(workspaces))).toEqual([]);
});

test('no file of production imports itself around others, but for types', () => {
  expect(circles(fileGraph(production))).toEqual([]);
});

test('packages import only those that the table of docs/architecture.md lets them', () => {
  const permitted = permittedEdges(ARCHITECTURE);
  const odd = [...packageEdges(sources, workspaces)].flatMap(([from, to]) =>
    [...to].filter((each) => !permitted.get(from)?.has(each)).map((each) => `${from} imports ${each}`),
  );
  expect(odd).toEqual([]);
});

test('what is imported is declared in package.json, and what is declared is imported', () => {
  expect(undeclaredImports(sources, workspaces)).toEqual([]);
  expect(unusedDependencies(sources, workspaces)).toEqual([]);
});

test('only packages/kafka imports kafkajs', () => {
  const odd = sources.filter(({ text }) =>
    importsOf(text).some(({ specifier }) => /^kafkajs\b/.test(specifier)),
  );
  expect(odd.map(({ path }) => path).filter((path) => !path.startsWith('packages/kafka/'))).toEqual([]);
});

test('only the main file of a service reads the environment', () => {
  const odd = production.filter(({ text }) => readsEnvironment(text)).map(({ path }) => path);
  expect(odd.filter((path) => !/^services\/[^/]+\/src\/main\.ts$/.test(path))).toEqual([]);
});

/** Beside ingest, which answers people, and the one place that classifies receivers' answers. */
const OTHERS_WITH_STATUSES = {
  'packages/runtime/src/health.ts': 'the admin server answers probes',
  'services/worker/src/attempt/read-token.ts': 'tells tokens from what else their servers answer',
  'packages/egress/src/exchange.ts': 'tells interim and impossible answers from final ones',
  'packages/egress/src/proxy/http-connect.ts': 'tells a tunnel from a refusal of the proxy',
};

test('HTTP statuses are named only where requests are answered and answers classified', () => {
  const expected = ['services/worker/src/attempt/classify.ts', ...Object.keys(OTHERS_WITH_STATUSES)];
  const found = production.filter(({ text }) => namesHttpStatus(text)).map(({ path }) => path);
  expect(found.filter((path) => !path.startsWith('services/ingest/')).sort()).toEqual(expected.sort());
});

test('each of these rules finds what breaks it', () => {
  const a: Workspace = {
    folder: 'packages/a',
    name: '@x/a',
    entries: ['.'],
    dependencies: ['@x/b'],
    devDependencies: [],
  };
  const b: Workspace = {
    folder: 'services/b',
    name: '@x/b',
    entries: [],
    dependencies: ['@x/a'],
    devDependencies: ['c'],
  };
  const source = (path: string, text: string): Source => ({ path, text });
  const broken = [
    source('packages/a/src/one.ts', "import { type A, b } from './two.ts';\nimport '@x/b';"),
    source(
      'packages/a/src/two.ts',
      "import { a } from './one.ts';\nexport * from '../../../services/b/src/main.ts';",
    ),
    source('services/b/src/main.ts', "import { d } from '@x/a/src/one.ts';"),
  ];
  expect(ownerOf('packages/a/src/one.ts', [a, b])).toBe(a);
  expect(deepImports(broken, [a, b])).toEqual([
    'packages/a/src/one.ts imports @x/b',
    'packages/a/src/two.ts imports ../../../services/b/src/main.ts',
    'services/b/src/main.ts imports @x/a/src/one.ts',
  ]);
  expect(circles(workspaceGraph([a, b]))).toEqual(['@x/a → @x/b → @x/a']);
  expect(circles(fileGraph(broken))).toEqual([
    'packages/a/src/one.ts → packages/a/src/two.ts → packages/a/src/one.ts',
  ]);
  expect(undeclaredImports([source('packages/a/src/c.ts', "import 'c';")], [a])).toHaveLength(1);
  expect(unusedDependencies(broken, [a, b])).toEqual(['services/b declares c']);
  expect([...packageEdges(broken, [a, b])]).toEqual([['a', new Set(['services/b'])]]);
  expect(importsOf("import {\n  type A,\n  type B,\n} from 'c';")).toEqual([
    { specifier: 'c', typeOnly: true },
  ]);
  expect(readsEnvironment('const { PORT } = process.env;')).toBe(true);
  for (const text of [
    'status === 410',
    'statusCode: 200',
    'reply.code(503)',
    'ok ? 200 : 503',
    'status >= 500',
  ])
    expect([text, namesHttpStatus(text)]).toEqual([text, true]);
});
