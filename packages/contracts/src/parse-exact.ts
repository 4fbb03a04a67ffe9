import { randomBytes } from 'node:crypto';
import { ExactNumber } from './compare-numbers.ts';

/**
 * JSON.parse that loses no digits: a number that a double may not hold stays as it was written. Before the text is parsed
 * such numbers are put into strings that begin with a mark, which nobody can guess, and `exact` takes them out again where
 * somebody looks. (A reviver sees the digits too, but is called for each value: 50 ms for 256 KiB of short numbers.)
 */
const MARK = `\0${randomBytes(16).toString('hex')}:`;
const MARK_IN_JSON = JSON.stringify(MARK).slice(1, -1);

/** More than 15 digits, or an exponent of more than two: only of these can two be one double. Cheap, and too much at most. */
const MAY_BE_INEXACT = /(?:^|[:,[\s])-?(?:[\d.]{16}|[\d.]+[eE][+-]?\d{3})/;
/** Strings are passed over. Each character is looked at once: every alternative begins with one of its own. */
const STRING_OR_INEXACT = /"(?:[^"\\]|\\[\s\S])*"|-?(?:[\d.]{16,}(?:[eE][+-]?\d+)?|[\d.]+[eE][+-]?\d{3,})/g;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** @throws SyntaxError for what is no JSON. */
export function parseExact(text: string): unknown {
  return JSON.parse(MAY_BE_INEXACT.test(text) ? text.replace(STRING_OR_INEXACT, markNumber) : text);
}

/** What is no number stays, for JSON.parse to refuse. */
const markNumber = (token: string): string =>
  token.startsWith('"') || !NUMBER.test(token) ? token : `"${MARK_IN_JSON}${token}"`;

/** A value out of `parseExact`, or a member of one. */
export const exact = (value: unknown): unknown =>
  typeof value === 'string' && value.charCodeAt(0) === 0 && value.startsWith(MARK)
    ? new ExactNumber(value.slice(MARK.length))
    : value;
