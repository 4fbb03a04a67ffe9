/** A text that may be nowhere, by the name that a failure calls it. */
export type Secrets = Readonly<Record<string, string>>;

/** Secrets found in a text, as they are or as somebody may have written them on: base64, hex, percent-encoded, as JSON. */
export function findSecrets(text: string, secrets: Secrets): string[] {
  return Object.entries(secrets).flatMap(([name, secret]) =>
    Object.entries(spellings(secret))
      .filter(([, spelled]) => text.includes(spelled))
      .map(([spelling]) => `${name} (${spelling})`),
  );
}

function spellings(secret: string): Record<string, string> {
  const bytes = Buffer.from(secret);
  return {
    plain: secret,
    JSON: JSON.stringify(secret).slice(1, -1),
    'percent-encoded': encodeURIComponent(secret),
    hex: bytes.toString('hex'),
    // Within a longer text base64 begins at one of three places; what the neighbours reach into is left out.
    ...Object.fromEntries([0, 1, 2].map((at) => [`base64 at ${at}`, innerBase64(bytes, at)])),
  };
}

function innerBase64(bytes: Buffer, at: number): string {
  const text = Buffer.concat([Buffer.alloc(at), bytes]).toString('base64url');
  return text.slice(at === 0 ? 0 : 4, Math.floor(((at + bytes.length) * 8) / 24) * 4);
}
