import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { Model } from "../../src/model/model.ts";
import { logJoint } from "../model/log-joint.ts";
import { choleskyOf } from "./formulas.ts";

const folder = join(
  process.env["ANSATZ_DATA"] ?? fileURLToPath(new URL("../../../shared/data", import.meta.url)),
  "posteriordb",
);

type Draw = Readonly<Record<string, number>>;
type Data = Readonly<Record<string, unknown>>;

const logit = (p: number): number => Math.log(p / (1 - p));
const all = (draw: Draw, name: string, n: number): number[] => Array.from({ length: n }, (_, i) => draw[`${name}[${i + 1}]`]!); // biome-ignore format: one line
const logs = (xs: readonly number[]): number[] => xs.map(Math.log);

/** The unconstrained coordinates of a reference draw. */
const coordinates: Readonly<Record<string, (draw: Draw, data: Data) => number[]>> = {
  "arK-arK": (d) => [d["alpha"]!, ...all(d, "beta", 5), Math.log(d["sigma"]!)],
  "eight_schools-eight_schools_noncentered": (d) => {
    const [mu, tau] = [d["mu"]!, d["tau"]!];
    return [mu, Math.log(tau), ...all(d, "theta", 8).map((theta) => (theta - mu) / tau)];
  },
  "garch-garch11": (d) => {
    const share = d["beta1"]! / (1 - d["alpha1"]!);
    return [d["mu"]!, Math.log(d["alpha0"]!), logit(d["alpha1"]!), logit(share)];
  },
  "gp_pois_regr-gp_pois_regr": (d, data) => {
    const x = data["x"] as number[];
    const [rho, alpha] = [d["rho"]!, d["alpha"]!];
    const covariance = x.map((a, i) =>
      x.map((b, j) => alpha ** 2 * Math.exp(-0.5 * ((a - b) / rho) ** 2) + (i === j ? 1e-10 : 0)),
    );
    const white: number[] = [];
    for (const [i, row] of choleskyOf(covariance).entries()) {
      white.push((d[`f[${i + 1}]`]! - white.reduce((s, w, k) => s + row[k]! * w, 0)) / row[i]!);
    }
    return [Math.log(rho), Math.log(alpha), ...white];
  },
  "hudson_lynx_hare-lotka_volterra": (d) =>
    logs([...all(d, "theta", 4), ...all(d, "z_init", 2), ...all(d, "sigma", 2)]),
  "low_dim_gauss_mix-low_dim_gauss_mix": (d) => {
    const [first, second] = all(d, "mu", 2) as [number, number];
    return [first, Math.log(second - first), ...logs(all(d, "sigma", 2)), logit(d["theta"]!)];
  },
};

function readDraws(file: string): Draw[] {
  const [head, ...rows] = gunzipSync(readFileSync(file)).toString("utf8").trim().split("\n");
  // A comma within brackets belongs to a name.
  const names = head!.split(/,(?![^[]*\])/).map((name) => name.replaceAll('"', "").trim());
  return rows.map((row) => Object.fromEntries(row.split(",").map((value, i) => [names[i]!, Number(value)])));
}

/** Mean of independent numbers in units of its own standard error. */
function standardised(values: readonly number[]): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / (values.length - 1);
  return mean / Math.sqrt(variance / values.length);
}

describe.skipIf(!existsSync(folder))("on posteriordb's own draws, by integration by parts,", () => {
  describe.each(Object.entries(coordinates))("%s", (name, unconstrained) => {
    test("the score is 0 and its covariance with each coordinate −1 in the mean", async () => {
      const { default: model } = (await import(`../../examples/posteriordb/${name}.ts`)) as { default: Model };
      const { data } = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")) as { data: Data };
      const density = await logJoint(model, data as never);
      const points = readDraws(join(folder, `${name}.draws.csv.gz`)).map((draw) => unconstrained(draw, data));
      const scores = points.map((u) => density.gradient(u));
      for (const [i, coordinate] of density.names.entries()) {
        const centre = points.reduce((s, u) => s + u[i]!, 0) / points.length;
        expect(Math.abs(standardised(scores.map((s) => s[i]!))), `score of ${coordinate}`).toBeLessThan(4.5);
        const stein = points.map((u, d) => (u[i]! - centre) * scores[d]![i]! + 1);
        expect(Math.abs(standardised(stein)), `Stein's identity for ${coordinate}`).toBeLessThan(4.5);
      }
    });
  });
});
