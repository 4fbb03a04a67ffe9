import { expect, test } from 'vitest';
import { filesOf, readText } from './repository.ts';

const OURS = ['setup', 'ingest', 'dispatcher', 'worker', 'recorder'];
const count = (text: string, part: string): number => text.split(part).length - 1;

/** A service of the compose file, with what it takes over from `x-service`. */
function composeService(name: string): string {
  const compose = readText('infra/compose.yaml');
  const shared = /^x-service: &service\n((?: .*\n|\n)+)/m.exec(compose)?.[1] ?? '';
  const own = new RegExp(`^  ${name}:\\n((?:    .*\\n|\\n)+)`, 'm').exec(compose)?.[1] ?? '';
  return own.includes('<<: *service') ? own + shared : own;
}

test.each(OURS)('in compose %s writes nothing, has no capability and can gain none', (name) => {
  const service = composeService(name);
  for (const setting of ['read_only: true', 'cap_drop: [ALL]', 'security_opt: ["no-new-privileges:true"]'])
    expect(service).toContain(setting);
});

test('compose opens ports to this machine alone', () => {
  const ports = [...readText('infra/compose.yaml').matchAll(/^ +ports: (.+)$/gm)].map(([, given]) => given!);
  expect(ports.length).toBeGreaterThan(3);
  expect(ports.filter((given) => !given.startsWith('["127.0.0.1:'))).toEqual([]);
});

test('each pod of the chart runs as nobody in particular, writes nothing, and has no key to the cluster', () => {
  const helpers = readText('helm/posthorn/templates/_helpers.tpl');
  for (const setting of [
    'runAsNonRoot: true',
    'type: RuntimeDefault',
    'allowPrivilegeEscalation: false',
    'readOnlyRootFilesystem: true',
    'drop: [ALL]',
  ])
    expect(helpers).toContain(setting);
  const pods = filesOf('helm/posthorn/templates/*.yaml')
    .map(readText)
    .filter((text) => text.includes('containers:'));
  expect(pods).toHaveLength(2);
  for (const pod of pods) {
    expect(count(pod, 'containers:')).toBe(1);
    for (const setting of [
      'automountServiceAccountToken: false',
      'enableServiceLinks: false',
      'include "posthorn.podSecurityContext"',
      'include "posthorn.securityContext"',
    ])
      expect(pod).toContain(setting);
  }
});

test('the image runs as a number that is not root, without package managers and without setuid programs', () => {
  const stages = readText('infra/service.Dockerfile').split(/^FROM /m);
  const final = stages.at(-1)!;
  expect(final).toMatch(/^USER [1-9]\d*:[1-9]\d*$/m);
  expect(final).toContain('find / -xdev -type f -perm /6000 -exec chmod a-s');
  expect(final).toContain('rm -rf /usr/local/lib/node_modules /usr/local/bin/npm');
  expect(final).not.toMatch(/\b(?:apt-get|curl|wget)\b|--allow-root|^ADD /m);
});
