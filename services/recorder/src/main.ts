import { createLogger, createMetrics, runProcess, systemClock } from '@posthorn/runtime';
import { readServiceConfig } from './config.ts';
import { createRecorder } from './service.ts';

const config = readServiceConfig(process.env);
const log = createLogger('recorder', config.logLevel);
const { lifecycle } = createRecorder({
  config,
  log,
  clock: systemClock,
  metrics: createMetrics('recorder'),
  onFatal(error) {
    log.fatal({ err: error }, 'the consumer is dead');
    void lifecycle.stop('the consumer is dead').then(() => process.exit(1));
  },
});
await runProcess(lifecycle, log);
