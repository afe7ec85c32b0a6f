/** How a noisy sequence changes, judged on its later half. */
export interface Trend {
  /** Change a step by least squares. */
  readonly slope: number;
  /** Its standard error, from how far the values lie off the line. */
  readonly se: number;
  readonly level: number;
  readonly count: number;
}

/** Fewer values say nothing of their noise. */
const LEAST = 4;

/** Null where there are too few values to judge. */
export function trendOf(values: readonly number[]): Trend | null {
  const count = Math.max(LEAST, Math.ceil(values.length / 2));
  if (values.length < count) return null;
  const late = values.slice(-count);
  const level = late.reduce((a, b) => a + b, 0) / count;
  const middle = (count - 1) / 2;
  const spread = late.reduce((sum, _, i) => sum + (i - middle) ** 2, 0);
  const slope = late.reduce((sum, y, i) => sum + (i - middle) * (y - level), 0) / spread;
  const left = late.reduce((sum, y, i) => sum + (y - level - slope * (i - middle)) ** 2, 0);
  return { slope, se: Math.sqrt(left / (count - 2) / spread), level, count };
}

/** The 95 % point of Student's t with some degrees of freedom, to 0.1 from 2 on. */
const quantile = (freedom: number): number => 1.645 + 2.5 / freedom;

/** The most that the sequence may still change a step, up or down, at 95 %. */
export const mostChange = ({ slope, se, count }: Trend): number => Math.abs(slope) + quantile(count - 2) * se;
