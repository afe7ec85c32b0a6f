// The posterior of eight schools from process start, by the built package; prints its mean of mu. `bench/models/startup.ts` runs it.
import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";

if (Number.parseInt(process.versions.node, 10) < 21) setFlagsFromString("--experimental-wasm-relaxed-simd");
const { halfCauchy, infer, model, normal } = await import("../../dist/index.js");

const eightSchools = model(({ sample, observe, plate, deterministic }, { J, y, sigma }) => {
  const mu = sample("mu", normal(0, 5));
  const tau = sample("tau", halfCauchy(5));
  plate("school", J, (j) => {
    const t = sample("t", normal(0, 1));
    const theta = deterministic("theta", mu.add(tau.mul(t)));
    observe("y", normal(theta, sigma.at(j)), y.at(j));
  });
});
const [file, method] = process.argv.slice(2);
const posterior = await infer(eightSchools, JSON.parse(readFileSync(file, "utf8")), { method });
console.log(JSON.stringify({ mean: posterior.mean("mu")[0], method: posterior.method, trusted: posterior.trusted }));
process.exit(0);
