import type { Labels } from '@posthorn/contracts';
import Type from 'typebox';
import { labelFault } from '../accept/check-fields.ts';

const MAX_LABEL_TEXT_CHARS = 256;

/** A label in a query: `region:eu`. The key has no colon, the value may. */
export const LabelText = Type.Refine(
  Type.String({
    maxLength: MAX_LABEL_TEXT_CHARS,
    description: 'A label, as `key:value`.',
    examples: ['region:eu'],
  }),
  (text) => readLabel(text) !== null,
  () => 'must be a label as key:value',
);

export function readLabel(text: string): Labels | null {
  const colon = text.indexOf(':');
  if (colon < 1) return null;
  const [key, value] = [text.slice(0, colon), text.slice(colon + 1)];
  return labelFault(key, value) === null ? { [key]: value } : null;
}
