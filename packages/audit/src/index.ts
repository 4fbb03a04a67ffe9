export * from './export-entries.ts';
export * from './view-entry.ts';
