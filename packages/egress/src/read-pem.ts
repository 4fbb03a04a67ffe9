export interface PemBlock {
  readonly label: string;
  readonly pem: string;
}

const BEGIN = '-----BEGIN ';
const DASHES = '-----';

/** Text around the blocks is a comment (RFC 7468 section 2); null when one is not complete. */
export function readPem(text: string): PemBlock[] | null {
  const blocks: PemBlock[] = [];
  for (let from = text.indexOf(BEGIN); from !== -1; from = text.indexOf(BEGIN, from + 1)) {
    const labelEnd = text.indexOf(DASHES, from + BEGIN.length);
    const label = text.slice(from + BEGIN.length, labelEnd);
    const end = `-----END ${label}-----`;
    const to = text.indexOf(end, labelEnd);
    if (labelEnd === -1 || to === -1) return null;
    blocks.push({ label, pem: text.slice(from, to + end.length) });
    from = to;
  }
  return blocks;
}
