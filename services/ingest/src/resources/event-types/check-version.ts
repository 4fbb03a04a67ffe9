import type { PayloadChecks } from '../../check-payload/payload-checks.ts';
import { invalidRequest, type Problem, problem, retryAfter } from '../../http/problem.ts';
import { MAX_SCHEMA_BYTES } from './schema.ts';
import type { VersionTexts } from './store.ts';

/** Schema and examples as they are kept, or what is wrong with them: pointers `/schema…` and `/examples/0…`. */
export async function checkVersion(
  checks: Pick<PayloadChecks, 'inspect'>,
  { schema = null, examples = [] }: { readonly schema?: unknown; readonly examples?: readonly unknown[] },
): Promise<VersionTexts | Problem> {
  const texts = {
    schema: schema === null ? null : JSON.stringify(schema),
    examples: JSON.stringify(examples),
  };
  const tooLarge = [...sizeFault('/schema', texts.schema ?? ''), ...sizeFault('/examples', texts.examples)];
  if (tooLarge.length > 0) return invalidRequest(tooLarge);
  if (texts.schema === null) return texts;
  const refused = await inspect(checks, texts.schema, texts.examples);
  return refused ?? texts;
}

const sizeFault = (pointer: string, text: string) => {
  const bytes = Buffer.byteLength(text);
  if (bytes <= MAX_SCHEMA_BYTES) return [];
  return [{ pointer, detail: `has ${bytes} bytes as JSON, ${MAX_SCHEMA_BYTES} are allowed` }];
};

async function inspect(
  checks: Pick<PayloadChecks, 'inspect'>,
  schema: string,
  examples: string,
): Promise<Problem | null> {
  const outcome = await checks.inspect(schema, examples);
  switch (outcome.kind) {
    case 'fits':
      return null;
    case 'faults':
      return invalidRequest(outcome.faults);
    case 'not_checked':
      if (outcome.reason === 'busy') return problem('overloaded', 'try again', retryAfter(1));
      return invalidRequest([{ pointer: '/schema', detail: TOO_COSTLY }]);
    default:
      return outcome satisfies never;
  }
}

const TOO_COSTLY = 'takes too much time or memory to compile, or to hold its examples to: simplify it';
