/** Ansatz, as a process that answers: coordinate ascent and EP by the public calls, compile included. Requests: see speed.ts. */
import { readFileSync, writeFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { type Answer, serve } from "../peers/models/serving.ts";

if (Number.parseInt(process.versions.node, 10) < 21) setFlagsFromString("--experimental-wasm-relaxed-simd");

const { cavi, ep } = await import("ansatz");
const { Generator } = await import("../../src/base/generator.ts");
const { problemOf } = await import("../../src/inference/problem.ts");
const { NO_GRADIENTS } = await import("../../src/inference/cavi/gradient-sites.ts");
const { perturb } = await import("../../src/inference/cavi/start.ts");
const { structureOf } = await import("../../src/inference/cavi/structure.ts");
const { stateKey } = await import("../../src/inference/cavi/sweep.ts");
const { full } = await import("../../src/tensor/functions.ts");
const { sizeOf } = await import("../../src/base/shape.ts");
const models = await import("./models.ts");

interface Request {
  readonly do: string;
  readonly x: string;
  readonly rows: number;
  readonly columns: number;
  readonly components: number;
  readonly sweeps: number;
  readonly tolerance: number;
  readonly start: string;
  readonly entries: string;
  readonly name: keyof typeof models.small;
  readonly data: Readonly<Record<string, unknown>>;
  readonly seed: number;
}

const numbersIn = (file: string): Float64Array => new Float64Array(new Uint8Array(readFileSync(file)).buffer);

function rowsIn({ x, rows, columns }: Request): Float64Array[] {
  const values = numbersIn(x);
  return Array.from({ length: rows }, (_, n) => values.subarray(n * columns, (n + 1) * columns));
}

/** The responsibilities that a fit with this seed starts from, for the others to start there too. */
async function start(request: Request): Promise<Answer> {
  const problem = await problemOf(models.mixture, models.mixtureData(rowsIn(request), request.components) as never);
  const { blocks } = structureOf(full(problem.layout.sites[0]!.value, [], 0, "f64"), problem.layout, { bounds: { logistic: null }, groups: [], gradients: NO_GRADIENTS }); // biome-ignore format: one line
  const arrays = Object.fromEntries(blocks.flatMap((b) => Object.entries(b.state).map(([name, shape]) => [stateKey(b, name), new Float64Array(sizeOf(shape)).fill(1)]))); // biome-ignore format: one line
  const buffers = Object.fromEntries(Object.entries(arrays).map(([key, values]) => [key, { view: () => values }]));
  perturb(blocks, buffers as never, new Generator(request.seed, "cavi", 0), stateKey, "few");
  writeFileSync(request.start, arrays["z.logProbs"]!.map(Math.exp));
  return {};
}

async function mixture(request: Request): Promise<Answer> {
  const data = models.mixtureData(rowsIn(request), request.components);
  const times: number[] = [];
  const began = performance.now();
  const fit = await cavi(models.mixture, data as never, {
    seed: request.seed,
    maxSweeps: request.sweeps,
    tolerance: 0,
    onSweep: () => times.push(performance.now()),
  });
  const seconds = (performance.now() - began) / 1000;
  return {
    seconds,
    perSweep: (times.at(-1)! - times[0]!) / 1000 / (times.length - 1),
    elbo: fit.elbo,
    means: [...fit.factors.mu!.parameters.mean!.values],
    megabytes: process.memoryUsage().rss / 1e6,
  };
}

/** Seconds and bound after each sweep. */
async function lda(request: Request): Promise<Answer> {
  const { lda: model } = await import("./lda-model.ts");
  const data = JSON.parse(readFileSync(request.entries, "utf8"));
  const trajectory: [number, number][] = [];
  const began = performance.now();
  const fit = await cavi(model, data, {
    seed: request.seed,
    maxSweeps: request.sweeps,
    tolerance: 0,
    onSweep: ({ elbo }) => trajectory.push([(performance.now() - began) / 1000, elbo]),
  });
  writeFileSync(request.start, fit.factors.phi!.parameters.concentration!.values);
  return { seconds: (performance.now() - began) / 1000, trajectory };
}

async function small({ name, data, tolerance, seed }: Request): Promise<Answer> {
  const began = performance.now();
  const fit = await cavi(models.small[name] as never, data as never, { tolerance, seed });
  return { seconds: (performance.now() - began) / 1000, elbo: fit.elbo, sweeps: fit.sweeps };
}

async function probit({ data, tolerance }: Request): Promise<Answer> {
  const began = performance.now();
  const fit = await ep(models.probit, data as never, { tolerance } as never);
  return { seconds: (performance.now() - began) / 1000, logZ: fit.logZ, mean: [...fit.mean] };
}

await serve({ peer: "ansatz", versions: {}, threads: 0, blas: "" }, {
  start,
  mixture,
  lda,
  small,
  probit,
} as unknown as Parameters<typeof serve>[1]);
