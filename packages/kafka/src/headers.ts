/** Headers as text. A repeated one has its last value, one without a value is the empty text. */
export function decodeHeaders(headers: Record<string, Buffer | Buffer[] | null>): Record<string, string> {
  const text: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    const last = Array.isArray(value) ? value.at(-1) : value;
    text[name] = last == null ? '' : last.toString();
  }
  return text;
}
