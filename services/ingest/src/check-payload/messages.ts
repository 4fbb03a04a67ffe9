import type { PayloadFault } from './compile-schema.ts';

/** What the thread is asked. */
export type Asked =
  | {
      readonly kind: 'compile';
      /** Names the schema from now on. */
      readonly key: string;
      /** JSON text. */
      readonly schema: string;
      /** The schema whose compiled form it forgets. */
      readonly forget: string | null;
    }
  | {
      readonly kind: 'check';
      /** Of a schema that was compiled. */
      readonly key: string;
      /** JSON in UTF-8. */
      readonly payload: Uint8Array;
    }
  | {
      readonly kind: 'inspect';
      readonly schema: string;
      /** JSON text of an array. */
      readonly examples: string;
    };

/** What it says: one answer to each question, in their order, and once that it is ready. */
export type Answered =
  | { readonly kind: 'ready' }
  | { readonly kind: 'faults'; readonly faults: readonly PayloadFault[] }
  | { readonly kind: 'failed'; readonly reason: string };
