import posthorn from '../vectors/posthorn.json' with { type: 'json' };
import published from '../vectors/standard-webhooks.json' with { type: 'json' };

export interface SignVector {
  readonly name: string;
  readonly keys: readonly string[];
  readonly id: string;
  readonly timestamp: number;
  readonly body?: string;
  readonly body_base64?: string;
  readonly header_prefix?: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface VerifyVector {
  readonly name: string;
  readonly keys: readonly string[];
  readonly now: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string;
  readonly header_prefix?: string;
  /** `ok`, or why not. */
  readonly result: string;
}

export interface KeyVector {
  readonly text: string;
  readonly kind: string;
  readonly hex?: string;
  readonly public_key?: string;
}

const names = ['posthorn', 'standard webhooks'];
const files = [posthorn, published];
const all = <T extends { readonly name: string }>(pick: (file: (typeof files)[number]) => unknown): T[] =>
  files.flatMap((file, i) =>
    (pick(file) as T[]).map((vector) => ({ ...vector, name: `${names[i]}: ${vector.name}` })),
  );

/** What is signed, and the headers that come of it. */
export const signVectors = all<SignVector>(({ sign }) => sign);
/** What is received, and what is to be thought of it. */
export const verifyVectors = all<VerifyVector>(({ verify }) => verify);
/** Texts, and the keys that they are. */
export const keyVectors = files.flatMap(({ keys }) => keys as KeyVector[]);
/** Published signatures made with keys that the standard calls too short. */
export const shortKeyVectors = published.signed_with_short_keys;

export const bodyOf = ({ body, body_base64: encoded }: SignVector): Buffer =>
  encoded === undefined ? Buffer.from(body ?? '') : Buffer.from(encoded, 'base64');
