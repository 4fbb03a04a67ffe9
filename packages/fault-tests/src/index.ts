export * from './oracle/judge.ts';
export * from './oracle/ledgers.ts';
