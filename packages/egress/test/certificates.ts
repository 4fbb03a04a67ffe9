import { readFileSync } from 'node:fs';

export const pem = (name: string): string =>
  readFileSync(new URL(`certificates/${name}`, import.meta.url), 'utf8');
