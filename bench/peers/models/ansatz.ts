/** Ansatz: the density as `infer` compiles it, and its methods. */
import { readFileSync, writeFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import type { Method } from "../../../src/inference/fit.ts";
import { modelOf, reported } from "../../models/definitions.ts";
import { type BenchData, microseconds, type Request, serve } from "./serving.ts";

if (Number.parseInt(process.versions.node, 10) < 21) setFlagsFromString("--experimental-wasm-relaxed-simd");

const { infer, problemOf } = await import("ansatz");
const { reportDraws } = await import("../../../src/inference/posterior.ts");
const { summary } = await import("../../../src/posterior/summary.ts");
const { compileLogDensity } = await import("../../../src/inference/compile.ts");
const { sampleChains } = await import("../../../src/inference/mcmc/chains.ts");
const { hoistData } = await import("../../../src/inference/hoist.ts");

/** NUTS by `infer`, which also judges the draws: R-hat, effective draws and so on of all parameters. */
const certified = process.argv.includes("certified");

const dataIn = (file: string): BenchData => JSON.parse(readFileSync(file, "utf8"));

let density: Awaited<ReturnType<typeof compileLogDensity>>;
let gradient: Float64Array;

async function fitted(request: Request, method: Method) {
  const model = await modelOf(request.model);
  const data = dataIn(request.data);
  const { seed, chains, warmUp, draws } = request;
  const started = performance.now();
  let compiled = started;
  const posterior = await infer(model, data as never, {
    method,
    seed,
    chains,
    warmUp,
    draws,
    onEvent: (event) => {
      if (event.kind === "start") compiled = performance.now();
    },
  });
  const seconds = (performance.now() - started) / 1000;
  return { posterior, seconds, compileSeconds: (compiled - started) / 1000 };
}

async function certifiedNuts(request: Request) {
  const { posterior, seconds, compileSeconds } = await fitted(request, "nuts");
  return { allDraws: posterior.allDraws, seconds: seconds - compileSeconds, compileSeconds };
}

/** What `infer` does, without judging the draws: the others do not judge theirs either. */
async function plainNuts({ model: name, data: file, seed, chains, warmUp, draws }: Request) {
  const model = await modelOf(name);
  const data = dataIn(file);
  const started = performance.now();
  const problem = await hoistData(await problemOf(model, data as never));
  const compiled = await compileLogDensity(problem);
  await compiled.prepareMotion?.(); // the sampler's own code, which is compiled for the model
  const between = performance.now();
  const found = await sampleChains(compiled, { seed, chains, warmUp, draws, names: problem.names });
  const points = new Float64Array(chains * draws * problem.dim);
  for (const [c, chain] of found.chains.entries()) points.set(chain.draws, c * draws * problem.dim);
  const allDraws = await reportDraws(problem as never, points, chains, draws);
  return { allDraws, seconds: (performance.now() - between) / 1000, compileSeconds: (between - started) / 1000 };
}

await serve(
  { peer: "ansatz", versions: { ansatz: "0.1.0" }, threads: 2, blas: "as the model asks for" },
  {
    async prepare(request) {
      const model = await modelOf(request.model);
      const data = dataIn(request.data);
      const started = performance.now();
      density = await compileLogDensity(await hoistData(await problemOf(model, data as never)));
      gradient = new Float64Array(density.dim);
      return { seconds: (performance.now() - started) / 1000 };
    },
    density: ({ points }) => {
      const found = points.map((u) => [density.evaluate(Float64Array.from(u), gradient), [...gradient]] as const);
      return { values: found.map(([value]) => value), gradients: found.map(([, slope]) => slope) };
    },
    async time({ points, milliseconds }) {
      const at = points.map((u) => Float64Array.from(u));
      return { us: await microseconds((u) => density.evaluate(u, gradient), at, milliseconds) };
    },
    async nuts(request) {
      const { allDraws, seconds, compileSeconds } = certified ? await certifiedNuts(request) : await plainNuts(request);
      const { chains, draws } = allDraws;
      const names = reported[request.model];
      const columns = names.map((name) => {
        const [, site, index] = /^(\w+?)(?:\[(\d+)\])?$/.exec(name)!;
        const { shape, values } = allDraws.sites[site!]!;
        return { values, width: shape.reduce((a, b) => a * b, 1), at: index ? Number(index) - 1 : 0 };
      });
      const out = new Float64Array(chains * draws * names.length);
      for (let d = 0; d < chains * draws; d++) {
        columns.forEach(({ values, width, at }, i) => {
          out[d * names.length + i] = values[d * width + at]!;
        });
      }
      writeFileSync(request.out, out);
      return { compileSeconds, seconds };
    },
    async advi(request) {
      const { posterior, seconds, compileSeconds } = await fitted(
        { ...request, draws: 4000 },
        request.method as Method,
      );
      const meansOf = (rows: readonly { readonly name: string; readonly mean: number }[]) =>
        Object.fromEntries(rows.map(({ name, mean }) => [name, mean]));
      const reportedMeans = meansOf(posterior.table);
      const { trusted, khat, approximation, problem } = posterior;
      // What q itself says, without the correction by weights that the reported draws have.
      const own = approximation && summary(await reportDraws(problem, approximation.draw(4000, 1), 1, 4000), false);
      const means = own ? meansOf(own) : reportedMeans;
      return {
        seconds,
        compileSeconds,
        steps: approximation?.evaluations ?? null,
        means,
        reported: reportedMeans,
        trusted,
        khat,
      };
    },
  },
);
