/** A number of a JSON text that a double cannot hold: its digits, as they were written. */
export class ExactNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** Below 0, 0 or above it: by exact decimal value, a double standing for its shortest decimal (`0.1` is one tenth). */
export function compareNumbers(a: number | ExactNumber, b: number): number {
  if (typeof a === 'number') return a < b ? -1 : Number(a > b);
  return compareDecimals(readDecimal(a.text), readDecimal(String(b)));
}

/** ±0.d₁d₂d₃… × 10^magnitude, d₁ not 0. Zero has no digits. */
interface Decimal {
  readonly negative: boolean;
  readonly digits: string;
  readonly magnitude: number;
}

const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

function readDecimal(text: string): Decimal {
  const [, sign, whole, fraction = '', exponent = '0'] = DECIMAL.exec(text)!;
  const written = whole! + fraction;
  const first = written.search(/[1-9]/);
  if (first === -1) return { negative: false, digits: '', magnitude: 0 };
  return {
    negative: sign === '-',
    digits: withoutTrailingZeros(written.slice(first)),
    // An exponent beyond all doubles is an infinite one: it compares as it should with every double.
    magnitude: whole!.length - first + Number(exponent),
  };
}

function withoutTrailingZeros(digits: string): string {
  let end = digits.length;
  while (digits[end - 1] === '0') end -= 1;
  return digits.slice(0, end);
}

function compareDecimals(a: Decimal, b: Decimal): number {
  const signs = signOf(a) - signOf(b);
  if (signs !== 0) return signs;
  return a.negative ? compareSizes(b, a) : compareSizes(a, b);
}

const signOf = ({ negative, digits }: Decimal): number => (digits === '' ? 0 : negative ? -1 : 1);

function compareSizes(a: Decimal, b: Decimal): number {
  if (a.digits === '' || b.digits === '') return 0;
  if (a.magnitude !== b.magnitude) return a.magnitude < b.magnitude ? -1 : 1;
  // Both begin behind the point and end without zeros, so the order of the texts is that of the numbers.
  return a.digits < b.digits ? -1 : Number(a.digits > b.digits);
}
