import v8 from "node:v8";
import vm from "node:vm";
import { describe, expect, test } from "vitest";
import { graphProgram } from "../../src/engine/program.ts";
import { Runtime } from "../../src/engine/runtime.ts";

/** The garbage collector, where this process lets itself be given one. */
const collect = ((): (() => void) | null => {
  try {
    v8.setFlagsFromString("--expose-gc");
    return vm.runInNewContext("gc") as () => void;
  } catch {
    return null;
  }
})();

/** Collects, and lets the finalizers run, which come in turns of their own. */
async function settle(): Promise<void> {
  for (let i = 0; i < 2; i++) {
    collect!();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

describe.skipIf(!collect)("what is garbage gives its memory back", () => {
  test("a thousand buffers, one after the other, take the place of a few", async () => {
    const runtime = new Runtime({ relaxed: false });
    let peak = 0;
    for (let i = 0; i < 1000; i++) {
      runtime.buffer("f64", [10_000]);
      if (i % 100 === 99) await settle();
      peak = Math.max(peak, runtime.memory.buffer.byteLength);
    }
    expect(peak).toBeLessThan(15 * 2 ** 20);
    await settle();
    expect(runtime.usedBytes).toBeLessThan(1e6);
  });
  test("a thousand programs, one after the other, take the place of a few", async () => {
    const runtime = new Runtime({ relaxed: false });
    const fitOne = async (i: number) => {
      const p = await graphProgram({
        state: { x: { dtype: "f64", shape: [1000], upTo: false } },
        inputs: {},
        runtime,
        trace: (b, { x }) => ({ state: { x: b.add(x!, i % 3) }, outputs: { y: b.sum(x!, [0]) } }),
      });
      await p.run({}, 2);
    };
    const sizes: number[] = [];
    for (let i = 0; i < 1000; i++) {
      await fitOne(i);
      if (i % 100 === 99) {
        await settle();
        sizes.push(runtime.memory.buffer.byteLength);
      }
    }
    expect(sizes.at(-1)).toBe(sizes[2]);
    await settle();
    expect(runtime.usedBytes).toBeLessThan(1e6);
  });
  test("but nothing that a living program still needs", async () => {
    const runtime = new Runtime({ relaxed: false });
    const p = await graphProgram({
      state: { x: { dtype: "f64", shape: [1000], upTo: false } },
      inputs: { y: { dtype: "f64", shape: [1000], upTo: false } },
      runtime,
      trace: (b, { x }, { y }) => ({ state: { x: b.add(x!, y!) }, outputs: {} }),
    });
    await p.run({ y: runtime.buffer("f64", [1000], new Float64Array(1000).fill(2)) });
    for (let i = 0; i < 6; i++) {
      runtime.buffer("f64", [1000]).view().fill(77);
      await settle();
    }
    await p.run({ y: new Float64Array(1000).fill(1) }, 3);
    expect([...new Set(p.state.x!.read())]).toEqual([5]);
  });
});
