export * from './api.ts';
export { dumpTopics } from './dump-topics.ts';
export { findSecrets, type Secrets } from './find-secrets.ts';
export * from './inherited-environment.ts';
export { inheritedEnvironment } from './inherited-environment.ts';
export * from './ledger.ts';
export * from './run-guide.ts';
export * from './service-process.ts';
export * from './system.ts';
