import { readSecretFile } from './read-secret-file.ts';

/**
 * Configuration: each service declares its keys once, as data; `readConfig` turns the environment into a frozen, typed
 * object or throws one error that lists every fault. `docs/configuration.md` and `.env.example` are generated from the
 * same declarations. Nothing else reads the environment.
 */
export interface ConfigKey<T> {
  readonly env: string;
  readonly doc: string;
  /** How a value looks, for errors and docs: "integer, 1–65535", "one of debug, info". */
  readonly expected: string;
  readonly unit?: string;
  /** As text, the way it would stand in the environment; undefined makes the key required. */
  readonly fallback?: string;
  readonly secret: boolean;
  /** Returns the value, or throws with what is wrong (without quoting the value). */
  parse(text: string): T;
}

export type ConfigSpec = Readonly<Record<string, ConfigKey<unknown>>>;
export type ConfigOf<S extends ConfigSpec> = {
  readonly [K in keyof S]: S[K] extends ConfigKey<infer T> ? T : never;
};
export type Environment = Readonly<Record<string, string | undefined>>;

interface KeyOptions {
  readonly doc: string;
  readonly fallback?: string;
  readonly unit?: string;
}

/** It ends a start and is read by people: where in the code a fault was found tells them nothing. */
export class ConfigError extends Error {
  override name = 'ConfigError';
  /** Private, or whoever prints the error would print each fault twice. */
  readonly #faults: readonly string[];
  constructor(faults: readonly string[]) {
    super(`configuration is not valid:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.#faults = faults;
    this.stack = `${this.name}: ${this.message}`;
  }
  get faults(): readonly string[] {
    return this.#faults;
  }
}

/**
 * A secret `NAME` may also be in the file that `NAME_FILE` names, where orchestrators mount theirs.
 * @throws ConfigError listing every key that is missing or malformed, with what was expected; secrets are not shown.
 */
export function readConfig<S extends ConfigSpec>(
  spec: S,
  environment: Environment,
  readFile: (path: string) => string = readSecretFile,
): ConfigOf<S> {
  const values: Record<string, unknown> = {};
  const faults: string[] = [];
  for (const [name, key] of Object.entries(spec)) {
    const given = readGiven(key, environment, readFile);
    if (given.fault !== undefined) {
      faults.push(given.fault);
      continue;
    }
    const text = given.text ?? key.fallback;
    if (text === undefined) {
      faults.push(`${key.env} is missing: expected ${key.expected}`);
      continue;
    }
    try {
      values[name] = key.parse(text);
    } catch (error) {
      faults.push(`${given.source ?? shownOf(key, text)}: expected ${key.expected}${reasonOf(error)}`);
    }
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return Object.freeze(values) as ConfigOf<S>;
}

/** A secret of a file has that as its `source`: what to look at when it is wrong. */
type Given = { readonly text?: string | undefined; readonly source?: string; readonly fault?: string };

/** What the environment says of a key, an empty value being none. */
function readGiven(
  { env, secret }: ConfigKey<unknown>,
  environment: Environment,
  readFile: (path: string) => string,
): Given {
  const text = environment[env] || undefined;
  const path = secret ? environment[`${env}_FILE`] || undefined : undefined;
  if (path === undefined) return { text };
  if (text !== undefined) return { fault: `${env} and ${env}_FILE are both given: expected one of them` };
  const source = `${env}_FILE=${JSON.stringify(path)}`;
  try {
    return { text: readFile(path), source };
  } catch (error) {
    return { fault: `${source}: expected a file with the value${reasonOf(error)}` };
  }
}

const shownOf = ({ env, secret }: ConfigKey<unknown>, text: string): string =>
  `${env}=${secret ? '(redacted)' : JSON.stringify(text)}`;

const reasonOf = (error: unknown): string =>
  error instanceof Error && error.message ? ` (${error.message})` : '';

function key<T>(
  env: string,
  expected: string,
  options: KeyOptions,
  parse: (text: string) => T,
): ConfigKey<T> {
  return { env, expected, secret: false, parse, ...options };
}

/** Any text, or what `pattern` matches. */
export function text(
  env: string,
  options: KeyOptions & { pattern?: RegExp; expected?: string },
): ConfigKey<string> {
  const { pattern, expected = 'text', ...rest } = options;
  return key(env, expected, rest, (value) => {
    if (pattern && !pattern.test(value)) throw new Error();
    return value;
  });
}

/** A value that no log, error or generated page shows. */
export function secret(
  env: string,
  options: KeyOptions & { expected?: string; check?: (text: string) => void },
): ConfigKey<string> {
  const { check, expected = 'a secret', ...rest } = options;
  const parsed = key(env, expected, rest, (value) => {
    check?.(value);
    return value;
  });
  return { ...parsed, secret: true };
}

/** Decimal digits, from `min` to `max`. */
export function integer(env: string, options: KeyOptions & { min: number; max: number }): ConfigKey<number> {
  const { min, max, ...rest } = options;
  return key(env, `an integer from ${min} to ${max}`, rest, (value) => {
    const number = Number(value);
    if (!/^-?\d+$/.test(value.trim()) || number < min || number > max) throw new Error();
    return number;
  });
}

/** `true` or `false`. */
export function flag(env: string, options: KeyOptions): ConfigKey<boolean> {
  return key(env, 'true or false', options, (value) => {
    if (value !== 'true' && value !== 'false') throw new Error();
    return value === 'true';
  });
}

/** One of these words. */
export function choice<const T extends string>(
  env: string,
  choices: readonly T[],
  options: KeyOptions,
): ConfigKey<T> {
  return key(env, `one of ${choices.join(', ')}`, options, (value) => {
    const found = choices.find((each) => each === value);
    if (found === undefined) throw new Error();
    return found;
  });
}

/** Comma-separated, trimmed, empty parts dropped. */
export function list(env: string, options: KeyOptions & { expected?: string }): ConfigKey<readonly string[]> {
  const { expected = 'a comma-separated list', ...rest } = options;
  return key(env, expected, rest, (value) =>
    Object.freeze(
      value
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== ''),
    ),
  );
}

/** For values with a grammar of their own. */
export function parsed<T>(
  env: string,
  expected: string,
  parse: (text: string) => T,
  options: KeyOptions,
): ConfigKey<T> {
  return key(env, expected, options, parse);
}
