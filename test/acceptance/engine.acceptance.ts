import { createHash } from "node:crypto";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { reference } from "../../src/backends/reference/backend.ts";
import {
  type DataSplits,
  defaultRuntime,
  type Explanation,
  firstRows,
  loadData,
  Runtime,
  trainVae,
  Vae,
  type VaeOptions,
} from "../../src/node.ts";
import { configure } from "../../src/vae/configuration.ts";
import { dataSpec, type ProgramContext } from "../../src/vae/context.ts";
import { initialProgram, orderProgram, slotNames, stepProgram } from "../../src/vae/fit-programs.ts";
import { boundProgram, encodeProgram } from "../../src/vae/programs.ts";
import { factsOf } from "../../src/vae/rows.ts";
import { hasMnist, mnist } from "./mnist.ts";

/** Anchor A of the acceptance figures: NumPyro's VAE example. */
const anchor: VaeOptions = {
  likelihood: "bernoulli",
  binarize: "dynamic",
  encoder: [400],
  decoder: [400],
  activation: "softplus",
  latent: 50,
  init: "normal:0.01",
  estimator: "generic",
  optimizer: "adam",
  lr: 1e-3,
  batch: 128,
  dropLast: true,
  epochs: 1,
  seed: 1,
};

/** MD5 of the original, unpacked files behind their headers (16 bytes before images, 8 before labels). */
const header = { images: [0, 0, 8, 3], labels: [0, 0, 8, 1] } as const;
const originals = {
  train: { count: 60_000, images: "6bbc9ace898e44ae57da46a324031adb", labels: "a25bea736e30d166cdddb491f175f624" },
  test: { count: 10_000, images: "2646ac647ad5339dbf082846283269ea", labels: "27ae3e4e09519cfbb04c329615203637" },
} as const;

describe.runIf(hasMnist)("on all of MNIST", () => {
  let data: DataSplits;
  beforeAll(async () => {
    data = await loadData(mnist);
  });

  test.each(["train", "test"] as const)("the %s files are read to the byte", (part) => {
    const { count, images, labels } = originals[part];
    const rows = data[part]!;
    expect(rows).toMatchObject({ count, eventShape: [28, 28], dtype: "u8", scale: 255 });
    // Put behind the header that their format prescribes, what was read must be the original file.
    expect(md5(idxFile(header.images, [count, 28, 28], rows.values as Uint8Array))).toBe(images);
    expect(md5(idxFile(header.labels, [count], Uint8Array.from(rows.labels!)))).toBe(labels);
  });

  const kinds = [
    ["with the system's kernels", false],
    ["deterministic", true],
  ] as const;

  test.each(kinds)("no node of a fit runs on the reference backend, %s", async (_name, deterministic) => {
    const runtime = await defaultRuntime();
    for (const [name, { nodes, imports, kernels }] of Object.entries(await explained(data, runtime, deterministic))) {
      const backends = new Set(nodes.map(({ backend }) => backend));
      console.log(`${name}: ${nodes.length} nodes in ${kernels.length} kernels on ${[...backends].join(", ")}`);
      const allowed = deterministic || !runtime.blas ? ["wasm"] : ["wasm", "blas"];
      expect(allowed, name).toEqual(expect.arrayContaining([...backends]));
      expect(
        imports.filter((imported) => !allowed.includes("blas") || !imported.startsWith("blas.")),
        name,
      ).toEqual([]);
    }
  });

  test("where a node runs on the reference backend, it is said", async () => {
    const runtime = new Runtime({ blas: null });
    const { step } = await explained(data, runtime, true, reference);
    expect(step!.nodes.map(({ backend }) => backend)).toContain("reference");
  });

  describe("the compiled modules, as WebAssembly itself lists their imports,", () => {
    afterEach(() => vi.restoreAllMocks());

    test.each(kinds)("take the memory and nothing of JavaScript but BLAS: %s", async (_name, deterministic) => {
      const importsOf = WebAssembly.Module.imports;
      const compile = vi.spyOn(WebAssembly, "Module");
      const runtime = await defaultRuntime();
      // Another width than above, or equal programs would come from the cache.
      const options = { ...anchor, deterministic, encoder: [deterministic ? 96 : 128], latent: 20 };
      const train = firstRows(data.train, 1024);
      const { vae } = await trainVae({ train, test: firstRows(data.test!, 500) }, options, { runtime });
      await vae.logLikelihood(firstRows(data.test!, 64), { samples: 16 });
      const modules = compile.mock.results.map(({ value }) => value as WebAssembly.Module);
      const imports = new Set(
        modules.flatMap((module) => importsOf(module).map(({ module: from, name }) => `${from}.${name}`)),
      );
      console.log(`${modules.length} modules import ${[...imports].join(", ")}`);
      // First parameters, order, step, bound, encoding, and the two of importance sampling.
      expect(modules.length).toBeGreaterThanOrEqual(7);
      const blas = deterministic || !runtime.blas ? [] : ["blas.gemm_f32"];
      expect([...imports].sort()).toEqual([...blas, "env.memory"]);
    });
  });
});

/** The programs of anchor A's fit, compiled for its data. */
async function explained(
  { train, test }: DataSplits,
  runtime: Runtime,
  deterministic: boolean,
  backend?: ProgramContext["backend"],
): Promise<Record<string, Explanation>> {
  const config = configure({ ...anchor, deterministic }, factsOf(train));
  const { name, eventShape, scale, count } = train;
  const { context, parameters } = await Vae.create(config, { name, eventShape, scale, count }, runtime, backend);
  const slots = Object.fromEntries(slotNames(config).map((slot) => [slot, runtime.buffer("f32", parameters.shape)]));
  const rows = dataSpec(context, "u8", count);
  const testRows = dataSpec(context, "u8", test!.count);
  const programs = {
    first: await initialProgram(context, parameters),
    order: await orderProgram(context, count),
    step: await stepProgram(context, parameters, slots, rows, config.batch),
    bound: await boundProgram(context, testRows, 1),
    encoding: await encodeProgram(context, testRows),
  };
  return Object.fromEntries(Object.entries(programs).map(([key, program]) => [key, program.explain()]));
}

const md5 = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex");

/** An IDX file of bytes: magic number, sizes as big-endian u32, values. */
function idxFile(magic: readonly number[], sizes: readonly number[], values: Uint8Array): Uint8Array {
  const file = new Uint8Array(4 + 4 * sizes.length + values.length);
  file.set(magic);
  sizes.forEach((size, axis) => new DataView(file.buffer).setUint32(4 + 4 * axis, size));
  file.set(values, 4 + 4 * sizes.length);
  return file;
}
