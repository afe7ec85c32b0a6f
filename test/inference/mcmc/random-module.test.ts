import { expect, test } from "vitest";
import { ModuleBuilder } from "../../../src/backends/wasm/assembler/module.ts";
import { Generator } from "../../../src/base/generator.ts";
import { randomFunctions, STREAM, writeZiggurat } from "../../../src/inference/mcmc/random-module.ts";

const BASE = 1024;

/** A stream in a memory of its own, begun as the generator is, and functions that draw from it. */
function streamOf(generator: Generator) {
  const m = new ModuleBuilder({ module: "env", name: "memory", shared: false });
  const exp = m.importFunction("host", "exp", ["f64"], ["f64"]);
  const log = m.importFunction("host", "log", ["f64"], ["f64"]);
  const functions = randomFunctions(m, { exp, log });
  for (const [name, ref] of Object.entries(functions)) m.export(name, ref);
  const memory = new WebAssembly.Memory({ initial: 1 });
  const module = new WebAssembly.Module(m.encode());
  const { exports } = new WebAssembly.Instance(module, { env: { memory }, host: { exp: Math.exp, log: Math.log } });
  const words = new Int32Array(memory.buffer, BASE, STREAM.bytes / 4);
  const { key, low, high, at } = generator.state;
  words.set([...key, low, high, at]);
  writeZiggurat(memory.buffer, BASE);
  const { word, uniform, normal } = exports as Record<string, (base: number) => number>;
  return { word: () => word!(BASE) >>> 0, uniform: () => uniform!(BASE), normal: () => normal!(BASE), words };
}

test("a stream in wasm memory has the bits of the one on the host, tails and wedges included", () => {
  const generator = new Generator(3, "stream", 1);
  const stream = streamOf(generator);
  const [mine, its] = [new Float64Array(200_000), new Float64Array(200_000)];
  for (let i = 0; i < mine.length; i++) {
    mine[i] = stream.normal();
    its[i] = generator.normal();
  }
  expect(mine).toEqual(its);
  // Beyond the last layer, so that the tail was drawn from.
  expect(its.filter((x) => Math.abs(x) > 3.6541528853610088).length).toBeGreaterThan(20);
  for (let i = 0; i < 1000; i++) expect(stream.uniform()).toBe(generator.uniform());
  for (let i = 0; i < 1000; i++) expect(stream.word()).toBe(generator.word());
});

test("a stream goes on beyond 2³² blocks, and where another left off", () => {
  const generator = new Generator(4, "stream");
  generator.state = { ...generator.state, low: 2 ** 32 - 16, high: 7 };
  const stream = streamOf(generator);
  for (let i = 0; i < 100; i++) expect(stream.word()).toBe(generator.word());
  expect(generator.state.high).toBe(8);
  expect(stream.words[STREAM.high / 4]).toBe(8);
});
