import { TextDecoder } from 'node:util';
import Type, { type Static } from 'typebox';

/** Bytes as JSON can show them: as text where they are text, else in base64. */
export const ShownBody = Type.Object(
  {
    body: Type.String({ description: 'The text, or the base64 of the bytes.' }),
    body_encoding: Type.Enum(['text', 'base64']),
  },
  { title: 'ShownBody', examples: [{ body: '{"received":true}', body_encoding: 'text' }] },
);
export type ShownBody = Static<typeof ShownBody>;

const CHARSET = /;\s*charset\s*=\s*"?([\w:.+-]{1,40})"?/i;

/**
 * The text in the charset that the content type names, UTF-8 where it names none that is known. Bytes that are no such
 * text come in base64: nothing is guessed, replaced or decompressed. The end may be cut within a character.
 */
export function decodeBody(bytes: Uint8Array, contentType: string | null): ShownBody {
  try {
    const text = decoderFor(contentType).decode(bytes, { stream: true });
    if (!text.includes('\0')) return { body: text, body_encoding: 'text' };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  return { body: Buffer.from(bytes).toString('base64'), body_encoding: 'base64' };
}

const STRICT = { fatal: true, ignoreBOM: true } as const;

function decoderFor(contentType: string | null): TextDecoder {
  const charset = CHARSET.exec(contentType ?? '')?.[1];
  try {
    return new TextDecoder(charset, STRICT);
  } catch {
    return new TextDecoder('utf-8', STRICT);
  }
}
