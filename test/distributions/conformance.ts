import { bijectorTo } from "../../src/constraints/bijector.ts";
import { type Distribution, type ParamValue, paramsOf } from "../../src/distributions/distribution.ts";
import { gradient } from "../../src/program/program.ts";
import type { Key } from "../../src/tensor/random.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { evaluate, type Given, given } from "../evaluate.ts";
import table from "../tables/distributions.json" with { type: "json" };
import type { Row } from "./continuous-rows.ts";

/** One setting of the parameters in the table. */
export interface Case {
  readonly params: Readonly<Record<string, number>>;
  readonly x: readonly number[];
  readonly logProb: readonly number[];
  readonly gradient: Readonly<Record<string, readonly number[]>>;
  readonly logCdf: readonly (number | null)[] | null;
  readonly logSurvival: readonly (number | null)[] | null;
  readonly mean: number | null;
  readonly variance: number | null;
}

export const casesOf = (row: Row): readonly Case[] => (table as unknown as Record<string, readonly Case[]>)[row.name]!;

/** What a program says of a distribution at every x of its cases, one after the other. */
export type Found = Readonly<Record<string, number[]>>;

const PARTS = ["logCdf", "logSurvival"] as const;

/** Densities, gradients and distribution functions, with the parameters as tensors, one of each for every x. */
export async function withTensors(row: Row, cases: readonly Case[]): Promise<Found> {
  const names = Object.keys(cases[0]!.params);
  const flat = (read: (c: Case) => readonly number[]) => given([cases.flatMap(read).length], cases.flatMap(read));
  const inputs: Record<string, Given> = { "at x": flat((c) => c.x) };
  for (const name of names) inputs[name] = flat((c) => c.x.map(() => c.params[name]!));
  return evaluate(inputs, (tensors) => {
    const x = tensors["at x"]!;
    const params = Object.fromEntries(names.map((name) => [name, tensors[name]!]));
    const d = row.make(params);
    const own = paramsOf(x.trace, d);
    const logProb = d.family.logProb(x, own);
    const slopes = gradient(logProb.sum(), [x, ...names.map((name) => params[name]!)]);
    const parts: Record<string, Tensor> = { logProb };
    for (const [i, name] of ["x", ...names].entries()) parts[`by ${name}`] = slopes[i]!;
    for (const part of PARTS) {
      const value = d.family[part]?.(x, own);
      if (value) Object.assign(parts, { [part]: value, [`${part} by x`]: gradient(value.sum(), [x])[0]! });
    }
    return parts;
  });
}

/** The same with the parameters as numbers, of which the program is then free. */
export async function withNumbers(row: Row, cases: readonly Case[]): Promise<Found> {
  const inputs = Object.fromEntries(cases.map((c, i) => [`x${i}`, given([c.x.length], c.x)]));
  const found = await evaluate(inputs, (tensors) => {
    const parts: Record<string, Tensor> = {};
    for (const [i, c] of cases.entries()) {
      const x = tensors[`x${i}`]!;
      const d = row.make(c.params);
      const params = paramsOf(x.trace, d);
      parts[`logProb ${i}`] = d.family.logProb(x, params);
      parts[`slope ${i}`] = gradient(parts[`logProb ${i}`]!.sum(), [x])[0]!;
      const { mean, variance } = d.family;
      if (mean) parts[`mean ${i}`] = mean(params);
      if (variance) parts[`variance ${i}`] = variance(params);
    }
    return parts;
  });
  return {
    logProb: cases.flatMap((_, i) => found[`logProb ${i}`]!),
    slope: cases.flatMap((_, i) => found[`slope ${i}`]!),
    mean: cases.flatMap((_, i) => found[`mean ${i}`] ?? []),
    variance: cases.flatMap((_, i) => found[`variance ${i}`] ?? []),
  };
}

/** Where x lies between its quartiles. */
const centre = (d: Distribution, u: Tensor): Tensor => {
  const params = paramsOf(u.trace, d);
  const map = bijectorTo(d.family.support(params));
  const x = map.forward(u);
  return d.family.logProb(x, params).add(map.logJacobian(u, x));
};

/** Log densities at points of the line that the support is mapped from. */
export const unconstrainedLogDensity = async (
  make: (params: Readonly<Record<string, ParamValue>>) => Distribution,
  params: Readonly<Record<string, number>>,
  u: readonly number[],
): Promise<number[]> =>
  (await evaluate({ u: given([u.length], u) }, ({ u }) => ({ logDensity: centre(make(params), u) })))["logDensity"]!;

/** A distribution function on a grid of the unconstrained line, by Simpson's rule on each piece. */
export interface GridCdf {
  readonly total: number;
  readonly at: (u: number) => number;
  readonly sd: number;
}

export const GRID = { from: -60, to: 60, pieces: 12_000 };
export const gridPoints = (): number[] =>
  Array.from({ length: 2 * GRID.pieces + 1 }, (_, i) => GRID.from + ((GRID.to - GRID.from) * i) / (2 * GRID.pieces));

export function gridCdf(logDensity: readonly number[]): GridCdf {
  const h = (GRID.to - GRID.from) / GRID.pieces;
  const density = logDensity.map((l) => (Number.isNaN(l) ? Number.NaN : Math.exp(l)));
  const cumulative = [0];
  let [first, second] = [0, 0];
  for (let k = 0; k < GRID.pieces; k++) {
    const [a, b, c] = [density[2 * k]!, density[2 * k + 1]!, density[2 * k + 2]!];
    const mass = (h / 6) * (a + 4 * b + c);
    const middle = GRID.from + (k + 0.5) * h;
    first += mass * middle;
    second += mass * middle ** 2;
    cumulative.push(cumulative[k]! + mass);
  }
  const total = cumulative[GRID.pieces]!;
  return {
    total,
    sd: Math.sqrt(second / total - (first / total) ** 2),
    at: (u) => {
      const place = Math.min(Math.max((u - GRID.from) / h, 0), GRID.pieces - 1e-9);
      const k = Math.floor(place);
      const share = place - k;
      return (cumulative[k]! + share * (cumulative[k + 1]! - cumulative[k]!)) / total;
    },
  };
}

/** √n times Kolmogorov's distance between draws and a distribution function; above 1.95 with probability 0.001. */
export function kolmogorov(draws: readonly number[], cdf: (u: number) => number): number {
  const n = draws.length;
  let distance = 0;
  for (const [i, u] of [...draws].sort((a, b) => a - b).entries()) {
    const p = cdf(u);
    distance = Math.max(distance, (i + 1) / n - p, p - i / n);
  }
  return distance * Math.sqrt(n);
}

/** Draws in unconstrained coordinates, and what a bounded function of them gives its expectation's gradient. */
export async function drawsOf(
  row: Row,
  params: Readonly<Record<string, number>>,
  count: number,
  seed: number,
): Promise<Found> {
  const names = Object.keys(params);
  const inputs = Object.fromEntries(names.map((name) => [name, given([count], Array(count).fill(params[name]))]));
  return evaluate(
    inputs,
    (tensors, key: Key<Tensor>) => {
      const d = row.make(Object.fromEntries(names.map((name) => [name, tensors[name]!])));
      const own = paramsOf(key.words[0].trace, d);
      const x = d.family.sample!(key.site("draws"), own, [count]);
      const map = bijectorTo(d.family.support(own));
      const u = map.inverse(x);
      const parts: Record<string, Tensor> = { u, x };
      if (d.family.reparameterised) {
        const slopes = gradient(bounded(u).sum(), names.map((name) => tensors[name]!)); // biome-ignore format: short
        for (const [i, name] of names.entries()) parts[`by ${name}`] = slopes[i]!;
      }
      return parts;
    },
    {},
    seed,
  );
}

/** A bounded function of a place on the line, whose expectation every distribution has. */
export const bounded = (u: Tensor): Tensor => u.sub(0.3).tanh();

/** d E[bounded(u)] / dθ = ∫ bounded(u) p(u) ∂ log p(u) / ∂θ du on the grid. */
export async function expectationSlopes(
  row: Row,
  params: Readonly<Record<string, number>>,
): Promise<Record<string, number>> {
  const u = gridPoints();
  const names = Object.keys(params);
  const inputs: Record<string, Given> = { "at u": given([u.length], u) };
  for (const name of names) inputs[name] = given([u.length], Array(u.length).fill(params[name]));
  const found = await evaluate(inputs, (tensors) => {
    const at = tensors["at u"]!;
    const logDensity = centre(row.make(Object.fromEntries(names.map((n) => [n, tensors[n]!]))), at);
    const slopes = gradient(logDensity.sum(), names.map((name) => tensors[name]!)); // biome-ignore format: short
    const parts: Record<string, Tensor> = {};
    for (const [i, name] of names.entries()) parts[name] = logDensity.exp().mul(bounded(at)).mul(slopes[i]!);
    return parts;
  });
  const h = (GRID.to - GRID.from) / GRID.pieces;
  const weight = (i: number) => (h / 6) * (i % 2 ? 4 : i === 0 || i === u.length - 1 ? 1 : 2);
  return Object.fromEntries(
    names.map((n) => [n, found[n]!.reduce((s, v, i) => s + (Number.isFinite(v) ? v * weight(i) : 0), 0)]),
  );
}
