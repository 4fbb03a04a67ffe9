export * from './fake-clock.ts';
export * from './fault-proxy.ts';
export * from './free-port.ts';
export * from './infra.ts';
export * from './property-runs.ts';
export * from './receiver.ts';
export * from './signalled-list.ts';
export * from './wait.ts';
