/** Header names and their values, both UTF-8 text. */
export type Headers = Record<string, string>;

export class RecordFormatError extends Error {
  override name = 'RecordFormatError';
}

export const COUNT = /^\d{1,15}$/;

export function required(headers: Headers, name: string): string {
  const value = headers[name];
  if (value === undefined || value === '') throw new RecordFormatError(`header ${name} is missing`);
  return value;
}

export function checked(headers: Headers, name: string, valid: (text: string) => boolean): string {
  const value = required(headers, name);
  if (!valid(value)) throw new RecordFormatError(`header ${name} is ${quote(value)}`);
  return value;
}

export function integer(headers: Headers, name: string): number {
  const value = required(headers, name);
  if (!COUNT.test(value)) throw new RecordFormatError(`header ${name} is ${quote(value)}, not a count`);
  return Number(value);
}

export function fromOne(headers: Headers, name: string): number {
  const value = integer(headers, name);
  if (value < 1) throw new RecordFormatError(`header ${name} is "0": attempts count from 1`);
  return value;
}

/** 0 for what is missing or no count. */
export const countOf = (text: string | undefined): number =>
  text !== undefined && COUNT.test(text) ? Number(text) : 0;

export function quote(text: string | undefined): string {
  return text === undefined ? 'missing' : JSON.stringify(text.slice(0, 80));
}
