import {
  armFailpoint,
  createLogger,
  createMetrics,
  runProcess,
  startTracing,
  systemClock,
} from '@posthorn/runtime';
import { describeKeyRing } from '@posthorn/secrets';
import { readServiceConfig } from './config.ts';
import { createDispatcher } from './service.ts';

armFailpoint(process.env.POSTHORN_FAILPOINT);
const config = readServiceConfig(process.env);
const log = createLogger('dispatcher', config.logLevel);
log.info(describeKeyRing(config.keyRing), 'key ring opened');
const tracing = await startTracing({
  service: 'dispatcher',
  otlpEndpoint: config.otlpEndpoint,
  samplePercent: config.traceSamplePercent,
});
const { lifecycle } = createDispatcher({
  config,
  log,
  tracing,
  clock: systemClock,
  metrics: createMetrics('dispatcher'),
  onFatal(error) {
    log.fatal({ err: error }, 'a consumer is dead');
    void lifecycle.stop('a consumer is dead').then(() => process.exit(1));
  },
});
await runProcess(lifecycle, log);
