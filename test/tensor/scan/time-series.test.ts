import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { loadBlas } from "../../../src/backends/blas/load.ts";
import { Runtime } from "../../../src/engine/runtime.ts";
import { gradient } from "../../../src/program/program.ts";
import { full, reshape, stack } from "../../../src/tensor/functions.ts";
import { scan } from "../../../src/tensor/scan.ts";
import type { Tensor } from "../../../src/tensor/tensor.ts";
import { evaluate, given } from "../../evaluate.ts";
import { onBackends } from "../../on-backends.ts";

interface Case {
  readonly at: number[];
  readonly value: number;
  readonly gradient: number[];
}
const fixture = JSON.parse(readFileSync("test/fixtures/time-series.json", "utf8")) as {
  y: number[];
} & Record<"garch" | "arma" | "hmm", Case>;

const T = fixture.y.length;
const LOG_2PI = Math.log(2 * Math.PI);
const entry = (x: Tensor, i: number): Tensor => reshape(x.narrow(0, i, 1), []);
/** −½ log 2π − log sd − ½ ((y − mean) / sd)² */
const normal = (y: Tensor, mean: Tensor, sd: Tensor): Tensor =>
  y
    .sub(mean)
    .div(sd)
    .square()
    .mul(-0.5)
    .sub(sd.log())
    .sub(LOG_2PI / 2);

const models: Record<"garch" | "arma" | "hmm", (p: Tensor, y: Tensor) => Tensor> = {
  garch: (p, y) => {
    const [mu, a0, a1, b1, sigma] = [0, 1, 2, 3, 4].map((i) => entry(p, i)) as [Tensor, Tensor, Tensor, Tensor, Tensor];
    const terms = (y: Tensor, variance: Tensor) => normal(y, mu, variance.sqrt());
    const first = sigma.square();
    const { ys } = scan({ carry: first, xs: y.narrow(0, 0, T - 1) }, (variance, before) => {
      const next = a0.add(a1.mul(before.sub(mu).square())).add(b1.mul(variance));
      return { carry: next, y: next };
    });
    return terms(entry(y, 0), first).add(terms(y.narrow(0, 1, T - 1), ys).sum());
  },
  arma: (p, y) => {
    const [mu, phi, theta, sigma] = [0, 1, 2, 3].map((i) => entry(p, i)) as [Tensor, Tensor, Tensor, Tensor];
    const { carry } = scan(
      { carry: { before: mu, error: full(mu, [], 0), total: full(mu, [], 0) }, xs: y },
      ({ before, error, total }, y) => {
        const nu = mu.add(phi.mul(before)).add(theta.mul(error));
        return { carry: { before: y, error: y.sub(nu), total: total.add(normal(y, nu, sigma)) } };
      },
    );
    return carry.total;
  },
  hmm: (p, y) => {
    const [leave, means, sd] = [p.narrow(0, 0, 2), p.narrow(0, 2, 2), entry(p, 4).exp()];
    const [stays, leaves] = [leave.softplus().neg(), leave.neg().softplus().neg()];
    const rows = [entry(stays, 0), entry(leaves, 0), entry(leaves, 1), entry(stays, 1)];
    const transition = reshape(stack(rows), [2, 2]);
    const emission = (y: Tensor) => normal(y, means, sd);
    const { carry } = scan(
      { carry: emission(entry(y, 0)).add(Math.log(0.5)), xs: y.narrow(0, 1, T - 1) },
      (alpha, y) => ({
        carry: reshape(alpha, [2, 1]).add(transition).logsumexp(0).add(emission(y)),
      }),
    );
    return carry.logsumexp();
  },
};

// Values and complex-step gradients of loops in NumPy: scripts/make-time-series-fixture.py. 1e-12 is some hundred roundings.
function close(got: readonly number[], want: readonly number[]): void {
  expect(got.length).toBe(want.length);
  for (const [i, w] of want.entries()) expect(Math.abs(got[i]! - w) / Math.max(1, Math.abs(w))).toBeLessThan(1e-12);
}

const blas = await loadBlas();

describe.each(["garch", "arma", "hmm"] as const)("%s", (name) => {
  const { at, value, gradient: slopes } = fixture[name];
  const inputs = { p: given([at.length], at), y: given([T], fixture.y) };
  const body = ({ p, y }: { p: Tensor; y: Tensor }) => {
    const value = models[name](p, y);
    return { value, slopes: gradient(value, [p])[0]! };
  };
  onBackends((place) => {
    test("log density and gradient are NumPy's", async () => {
      const got = await evaluate(inputs, body, place());
      close(got.value!, [value]);
      close(got.slopes!, slopes);
    });
  });
  test.skipIf(!blas)("with BLAS there too", async () => {
    const got = await evaluate(inputs, body, { runtime: new Runtime({ blas }) });
    close([...got.value!, ...got.slopes!], [value, ...slopes]);
  });
});
