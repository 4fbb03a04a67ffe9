/** One number that a workload of the engine came to, and what it should be. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit?: string;
  readonly atMost?: number;
  readonly atLeast?: number;
}

export interface Finding {
  readonly workload: string;
  readonly figures: readonly Figure[];
}

export function describeFinding({ workload, figures }: Finding): string {
  const width = Math.max(...figures.map(({ name }) => name.length));
  const lines = figures.map(
    (figure) => `  ${figure.name.padEnd(width)}  ${textOf(figure)}${verdict(figure)}`,
  );
  return `${workload}\n${lines.join('\n')}\n`;
}

function textOf({ value, unit }: Figure): string {
  const text = Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2);
  return unit ? `${text} ${unit}` : text;
}

function verdict({ value, unit = '', atMost, atLeast }: Figure): string {
  if (atMost !== undefined) return ` (target ≤ ${atMost} ${unit}${value <= atMost ? '' : ', MISSED'})`;
  if (atLeast !== undefined) return ` (target ≥ ${atLeast} ${unit}${value >= atLeast ? '' : ', MISSED'})`;
  return '';
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
