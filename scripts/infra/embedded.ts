export { listenForInterrupt } from '../interrupt.ts';
export { identify, isAlive, openRunFile } from '../run-file.mjs';
export { removeWithElsewhere } from './elsewhere.mjs';
export { type EmbeddedKafka, type KafkaOptions, startEmbeddedKafka } from './embedded-kafka.ts';
export { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.ts';
export { checkJava, ensureKafkaJars } from './kafka-jars.ts';
export type { ClusterNode, ProxiedListener } from './kafka-settings.ts';
export type { ServerProcess } from './server-process.ts';
