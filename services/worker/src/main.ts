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
import { createWorker } from './service.ts';

armFailpoint(process.env.POSTHORN_FAILPOINT);
const config = readServiceConfig(process.env);
const log = createLogger('worker', config.logLevel);
log.info(describeKeyRing(config.keyRing), 'key ring opened');
const tracing = await startTracing({
  service: 'worker',
  otlpEndpoint: config.otlpEndpoint,
  samplePercent: config.traceSamplePercent,
});
const { lifecycle } = createWorker({
  config,
  log,
  tracing,
  clock: systemClock,
  metrics: createMetrics('worker'),
  onFatal(error) {
    log.fatal({ err: error }, 'the consumer is dead');
    void lifecycle.stop('the consumer is dead').then(() => process.exit(1));
  },
});
await runProcess(lifecycle, log);
