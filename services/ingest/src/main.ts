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
import { createIngest } from './service.ts';

armFailpoint(process.env.POSTHORN_FAILPOINT);
const config = readServiceConfig(process.env);
const log = createLogger('ingest', config.logLevel);
log.info(describeKeyRing(config.keyRing), 'key ring opened');
const tracing = await startTracing({
  service: 'ingest',
  otlpEndpoint: config.otlpEndpoint,
  samplePercent: config.traceSamplePercent,
});
const { lifecycle } = createIngest({
  config,
  log,
  tracing,
  clock: systemClock,
  metrics: createMetrics('ingest'),
});
await runProcess(lifecycle, log);
