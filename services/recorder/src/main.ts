import { createLifecycle, createLogger, runProcess, systemClock } from '@posthorn/runtime';
import { readServiceConfig } from './config.ts';
import { createRecorderService } from './service.ts';

const config = readServiceConfig(process.env);
const log = createLogger('recorder', config.logLevel);
const service = createRecorderService({
  config,
  log,
  clock: systemClock,
  isReady: () => lifecycle.mode === 'running',
  onFatal: (error) => {
    log.fatal({ err: error }, 'consumer failed for good');
    void lifecycle.stop('consumer failed').then(() => process.exit(1));
  },
});
const lifecycle = createLifecycle(service.parts, log);
await runProcess(lifecycle, log);
