import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { loadSpecs } from '../docs/configuration.ts';
import { readText, root } from './repository.ts';

const NAME = /[A-Z][A-Z0-9_]{2,}/g;
// The command line is run by people, and deployed nowhere.
const deployed = (await loadSpecs()).filter(({ service }) => service !== 'cli');
const declared = new Map(deployed.map(({ service, spec }) => [service, Object.values(spec)] as const));
const known = new Set([...declared.values()].flat().map(({ env }) => env));
const namesIn = (text: string): string[] => text.match(NAME) ?? [];

/** The lines below `key:`, to the next one that is not deeper. */
function block(yaml: string, key: string): string {
  const lines = yaml.split('\n');
  const start = lines.findIndex((line) => line.trimStart().startsWith(`${key}:`));
  const depth = lines[start]!.search(/\S/);
  const rest = lines.slice(start + 1);
  const end = rest.findIndex((line) => line.trim() !== '' && line.search(/\S/) <= depth);
  return rest.slice(0, end === -1 ? undefined : end).join('\n');
}

const keysIn = (yaml: string): string[] =>
  [...yaml.matchAll(/^\s*([A-Z][A-Z0-9_]+):/gm)].map(([, key]) => key!);

const compose = readText('infra/compose.yaml');
const shared = keysIn(block(compose, 'x-shared-environment'));
const composeServices = block(compose, 'services');

const values = readText('helm/posthorn/values.yaml');
const helpers = readText('helm/posthorn/templates/_helpers.tpl');
const chartConfig = keysIn(block(values, 'config'));
const chartSecrets = (service: string): string[] =>
  namesIn(helpers.split('\n').find((line) => line.trim().startsWith(`"${service}" (list`)) ?? '');

test.each([...declared.keys()])(
  'compose gives %s only keys that it declares, and all that are required',
  (service) => {
    const given = [...shared, ...keysIn(block(block(composeServices, service), 'environment'))];
    expect(given.filter((name) => !known.has(name))).toEqual([]);
    expect(missing(service, given)).toEqual([]);
  },
);

test.each([...declared.keys()])(
  'the chart gives %s only keys that it declares, and all that are required',
  (service) => {
    const secrets = chartSecrets(service);
    const own = new Set(declared.get(service)!.map(({ env }) => env));
    expect(secrets.filter((name) => !own.has(name))).toEqual([]);
    expect(chartConfig.filter((name) => !known.has(name))).toEqual([]);
    expect(missing(service, [...chartConfig, ...secrets])).toEqual([]);
  },
);

test('the chart gives a service every secret that it reads', () => {
  for (const [service, keys] of declared) {
    const read = keys.filter(({ secret }) => secret).map(({ env }) => env);
    expect([service, ...chartSecrets(service).sort()]).toEqual([service, ...read.sort()]);
  }
});

const publicKey = (name: string): string => new RegExp(`&${name} (\\S+)`).exec(compose)?.[1] ?? '';
const readConfigOf = async (service: string): Promise<(environment: object) => unknown> => {
  const file = join(root, 'services', service, 'src', 'config.ts');
  return (await import(pathToFileURL(file).href)).readServiceConfig;
};

test.each([
  ['ingest', { SECRETS_KEY: publicKey('secrets-key') }],
  [
    'ingest',
    { SECRETS_KEY: Buffer.alloc(32, 7).toString('base64'), OPERATOR_KEY: publicKey('operator-key') },
  ],
  ['dispatcher', { SECRETS_KEY: publicKey('secrets-key') }],
  ['worker', { SECRETS_KEY: publicKey('secrets-key') }],
])(
  '%s does not start in production with a key that is public, as those of compose are',
  async (service, given) => {
    const readServiceConfig = await readConfigOf(service);
    expect(() => readServiceConfig(given)).toThrow('is public');
    expect(() => readServiceConfig({ ...given, ENVIRONMENT: 'development' })).not.toThrow();
    expect(shared).toContain('ENVIRONMENT');
  },
);

function missing(service: string, given: readonly string[]): string[] {
  const required = declared.get(service)!.filter(({ fallback }) => fallback === undefined);
  return required.map(({ env }) => env).filter((name) => !given.includes(name));
}
