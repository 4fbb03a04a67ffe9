/**
 * Padded standard base64 (RFC 4648 §4) in its one spelling. Decoders skip what they do not know and ignore stray bits in
 * the last character, so a text is taken only if its bytes are written the same way. In what every runtime has.
 */
export function decodeBase64(encoded: string): Uint8Array<ArrayBuffer> | null {
  let binary: string;
  try {
    binary = atob(encoded);
  } catch {
    return null;
  }
  if (btoa(binary) !== encoded) return null;
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

export function encodeBase64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
