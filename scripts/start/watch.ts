import { watch } from 'node:fs';
import { join } from 'node:path';
import { SERVICES, type ServiceName } from './services.ts';

const SETTLE_MS = 200;
const IGNORED = /(^|\/)(node_modules|test|dist)\/|\.test\.ts$/;

/** Calls `changed` with the services that a change of files concerns: one, or all for a package. Answers how to stop. */
export function watchServices(root: string, changed: (services: readonly ServiceName[]) => void): () => void {
  const pending = new Set<ServiceName>();
  let timer: NodeJS.Timeout | undefined;
  const note = (services: readonly ServiceName[], file: string | null) => {
    if (!file?.endsWith('.ts') || IGNORED.test(file)) return;
    for (const service of services) pending.add(service);
    clearTimeout(timer);
    timer = setTimeout(() => {
      changed([...pending]);
      pending.clear();
    }, SETTLE_MS);
  };
  const watchers = [
    watch(join(root, 'packages'), { recursive: true }, (_event, file) => note(SERVICES, file)),
    ...SERVICES.map((service) =>
      watch(join(root, 'services', service, 'src'), { recursive: true }, (_event, file) =>
        note([service], file),
      ),
    ),
  ];
  return () => {
    clearTimeout(timer);
    for (const watcher of watchers) watcher.close();
  };
}
