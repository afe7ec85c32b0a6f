import { denseMetric, diagonalMetric, type Metric } from "./metric.ts";
import { geometricMean, inverse } from "./symmetric.ts";

export interface MetricDraw { readonly u: Float64Array; readonly gradient: Float64Array }
export const K = { ridge: Number(process.env.RIDGE ?? 1e-4), margin: Number(process.env.MARGIN ?? 0.8) };

function spread(list: readonly MetricDraw[], of: "u" | "gradient", dim: number): Float64Array {
  const mean = new Float64Array(dim), out = new Float64Array(dim);
  for (const d of list) for (let i = 0; i < dim; i++) mean[i]! += d[of][i]! / list.length;
  for (const d of list) for (let i = 0; i < dim; i++) out[i]! += (d[of][i]! - mean[i]!) ** 2;
  for (let i = 0; i < dim; i++) out[i] = out[i]! / (list.length - 1);
  return out;
}
function covariance(list: readonly MetricDraw[], of: "u" | "gradient", s: Float64Array, dim: number): Float64Array {
  const mean = new Float64Array(dim), out = new Float64Array(dim * dim), c = new Float64Array(dim);
  for (const d of list) for (let i = 0; i < dim; i++) mean[i]! += d[of][i]! / list.length;
  for (const d of list) {
    for (let i = 0; i < dim; i++) c[i] = (d[of][i]! - mean[i]!) * s[i]!;
    for (let i = 0; i < dim; i++) for (let j = 0; j <= i; j++) out[i * dim + j]! += c[i]! * c[j]!;
  }
  for (let i = 0; i < dim; i++) for (let j = 0; j <= i; j++) out[j * dim + i] = out[i * dim + j] = out[i * dim + j]! / (list.length - 1);
  return out;
}
const trace = (a: Float64Array, b: Float64Array) => { let s = 0; for (let i = 0; i < a.length; i++) s += a[i]! * b[i]!; return s; };
function dense(list: readonly MetricDraw[], s: Float64Array, dim: number): Float64Array | null {
  const a = covariance(list, "u", s.map((v) => 1 / v), dim), b = covariance(list, "gradient", s, dim);
  const ridge = K.ridge;
  for (let i = 0; i < dim; i++) { a[i * dim + i]! += ridge; b[i * dim + i]! += ridge; }
  return geometricMean(a, b, dim);
}
export function estimate(list: readonly MetricDraw[], dim: number, mode: "auto" | "diagonal" | "dense"): Metric | null {
  if (list.length < 3) return null;
  const vx = spread(list, "u", dim), vg = spread(list, "gradient", dim);
  const variances = process.env.COV ? vx.map((v) => (v * list.length) / (list.length + 5) + 5e-3 / (list.length + 5)) : vx.map((v, i) => Math.sqrt(v / vg[i]!));
  if (!variances.every((v) => v > 0 && v < Infinity)) return null;
  const diag = diagonalMetric(variances);
  if (mode === "diagonal") return diag;
  const s = variances.map(Math.sqrt);
  if (mode === "auto") {
    if (list.length < 6) return diag;
    const half = list.length >> 1;
    const first = list.slice(0, half), second = list.slice(half);
    const vx1 = spread(first, "u", dim), vg1 = spread(first, "gradient", dim);
    const d1 = vx1.map((v, i) => Math.sqrt(v / vg1[i]!) / variances[i]!);
    const x = dense(first, s, dim); if (!x) return diag;
    const xi = inverse(x, dim); if (!xi) return diag;
    const a = covariance(second, "u", s.map((v) => 1 / v), dim), b = covariance(second, "gradient", s, dim);
    let sd = 0; for (let i = 0; i < dim; i++) sd += d1[i]! * b[i * dim + i]! + a[i * dim + i]! / d1[i]!;
    const sx = trace(x, b) + trace(xi, a);
    if (process.env.SHOW) console.log("n", list.length, "score/2d diag", (sd / 2 / dim).toFixed(3), "dense", (sx / 2 / dim).toFixed(3));
    if (!(sx < K.margin * sd)) return diag;
  }
  const x = dense(list, s, dim);
  if (!x) return diag;
  for (let i = 0; i < dim; i++) for (let j = 0; j < dim; j++) x[i * dim + j]! *= s[i]! * s[j]!;
  return denseMetric(x, dim) ?? diag;
}
