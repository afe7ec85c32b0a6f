import { type AffineMap, sample, type VariationalFamily } from "../families/variational-family.ts";
import { f64, program, u32 } from "../program/program.ts";
import { affineInputs, logDeterminant, mapRows } from "./affine-target.ts";
import { solveLower } from "./symmetric-solve.ts";
import type { Target } from "./target.ts";

const ROWS = 128;

/** A family compiled for the host, its q mapped by x = location + factor · y. */
export interface HostFamily {
  /** n draws [n, dim]; fewer draws are the first of more. */
  draw(params: Float64Array, n: number, seed: number): Float64Array;
  /** log q at the rows of x. */
  logDensityOf(params: Float64Array, x: Float64Array): Float64Array;
}

export async function compileFamily(target: Target, family: VariationalFamily, map: AffineMap): Promise<HostFamily> {
  const { runtime, deterministic } = target;
  const { dim, size } = family;
  const affine = affineInputs(target, map);
  const [sampler, density] = await Promise.all([
    program({
      runtime,
      deterministic,
      inputs: { ...affine.inputs, params: f64([size]), group: u32([]) },
      body: ({ inputs, rng }) => {
        const { params, group, ...rest } = inputs;
        return { outputs: { x: mapRows(sample(family, params!, rng.site("draws").fold(group!), ROWS), rest) } };
      },
    }),
    program({
      runtime,
      deterministic,
      inputs: { params: f64([size]), y: f64([ROWS, dim]) },
      body: ({ inputs: { params, y } }) => ({ outputs: { logProb: family.logProb(params, y) } }),
    }),
  ]);
  const constant = logDeterminant(map);
  return {
    draw(params, n, seed) {
      const out = new Float64Array(n * dim);
      for (let first = 0; first < n; first += ROWS) {
        sampler.call({ ...affine.data, params, group: first / ROWS } as never, seed);
        const rows = Math.min(ROWS, n - first);
        out.set(sampler.outputs.x.view().subarray(0, rows * dim), first * dim);
      }
      return out;
    },
    logDensityOf(params, x) {
      const n = x.length / dim;
      const out = new Float64Array(n);
      const y = new Float64Array(ROWS * dim);
      for (let first = 0; first < n; first += ROWS) {
        const rows = Math.min(ROWS, n - first);
        for (let i = 0; i < rows; i++) {
          const row = y.subarray(i * dim, (i + 1) * dim);
          for (let j = 0; j < dim; j++) row[j] = x[(first + i) * dim + j]! - map.location[j]!;
          if (map.diagonal) for (let j = 0; j < dim; j++) row[j]! /= map.factor[j]!;
          else solveLower(map.factor, row);
        }
        density.call({ params, y });
        const found = density.outputs.logProb.view();
        for (let i = 0; i < rows; i++) out[first + i] = found[i]! - constant;
      }
      return out;
    },
  };
}

/** E_a[log a − log b] + E_b[log b − log a] for two members of a family, from n draws of each. */
export function symmetricKl(host: HostFamily, a: Float64Array, b: Float64Array, n: number, seed: number): number {
  const half = (p: Float64Array, q: Float64Array, from: number) => {
    const x = host.draw(p, n, from);
    const [own, other] = [host.logDensityOf(p, x), host.logDensityOf(q, x)];
    return own.reduce((sum, l, i) => sum + (l - other[i]!) / n, 0);
  };
  // Both terms are estimates, and their sum may come out below 0.
  return Math.max(0, half(a, b, seed) + half(b, a, seed));
}
