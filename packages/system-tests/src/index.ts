export * from './api.ts';
export * from './inherited-environment.ts';
export * from './ledger.ts';
export * from './service-process.ts';
export * from './system.ts';
