import { describe, expect, test } from "vitest";
import type { Params } from "../../src/distributions/distribution.ts";
import { gradient } from "../../src/program/program.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { vmap } from "../../src/transforms/vmap.ts";
import { evaluate, type Given, given } from "../evaluate.ts";
import { familyOf, flat, label, type Nested, type Row, rows, shapeOf, tensor } from "./discrete-rows.ts";

/** Parameters unlike the given ones, in the same support. */
function other(value: Nested, kind: string): Nested {
  const each = (f: (x: number) => number): Nested => {
    const go = (v: Nested): Nested => (typeof v === "number" ? f(v) : v.map(go));
    return go(value);
  };
  if (kind === "counts") return value;
  if (kind === "simplex") return [...(value as readonly Nested[])].reverse();
  if (kind === "real" || kind === "ordered") return each((x) => x + 0.2);
  return kind === "unitInterval" ? each((x) => 0.9 * x) : each((x) => 1.3 * x);
}

/** One row of each family and parameterisation. */
const first = new Map<string, Row>();
for (const row of rows) {
  const key = `${row.name} ${Object.keys(row.params)}`;
  const small = !first.has(key) || shapeOf(row.x[0]!).at(-1) === 1;
  // Tables of many categories are read in another way than those of few.
  if (small || row.x.length > 16) first.set(small ? key : `${key} long`, row);
}

describe("several parameters at once, as a batch or by vmap, give what each gives alone", () => {
  test.each([...first.values()].map((row) => [label(row), row] as const))("%s", async (_, row) => {
    const family = familyOf(row);
    const names = Object.keys(row.params);
    const inputs: Record<string, Given> = {};
    const event = shapeOf(row.x[0]!);
    const inside = row.x.filter((_, i) => row.logProb[i] !== null).slice(0, 3);
    const finite = inside.length ? inside : row.x.slice(0, 1);
    for (const name of names) {
      const [a, b] = [row.params[name]!, other(row.params[name]!, family.params[name]!.support.kind)];
      inputs[`a.${name}`] = tensor(a);
      inputs[`b.${name}`] = tensor(b);
      inputs[`both.${name}`] = given([2, ...shapeOf(a)], [...flat(a), ...flat(b)]);
    }
    inputs.x = tensor(finite);
    const found = await evaluate(
      inputs,
      ({ x, ...all }, key) => {
        const under = (lot: string) => Object.fromEntries(names.map((n) => [n, all[`${lot}.${n}`]!])) as Params;
        const [a, b, both] = [under("a"), under("b"), under("both")];
        const lifted = (f: (p: Params) => Tensor) => {
          const replaced = new Map(names.map((n) => [a[n]!.node, both[n]!.node]));
          return x!.of(vmap(x!.trace, [f(a).node], replaced, 2)[0]!);
        };
        const column = x!.reshape([finite.length, 1, ...event]);
        const density = { a: family.logProb(x!, a), b: family.logProb(x!, b) };
        const byBatch = family.logProb(column, both);
        const byVmap = lifted((p) => family.logProb(x!, p));
        const draw = (p: Params) => family.sample!(key, p, [4]);
        const slopes = (y: Tensor, p: Params, lot: string) =>
          Object.fromEntries(
            gradient(y.sum(), names.map((n) => p[n]!)).map((g, i) => [`${lot}.${names[i]}`, g]), // biome-ignore format: short
          );
        return {
          "value.a": density.a,
          "value.b": density.b,
          "value.batch": byBatch.transpose([1, 0]),
          "value.vmap": byVmap,
          ...slopes(density.a, a, "slope.a"),
          ...slopes(density.b, b, "slope.b"),
          ...slopes(byBatch, both, "slope.batch"),
          ...slopes(byVmap, both, "slope.vmap"),
          "draw.a": draw(a),
          "draw.b": draw(b),
          "draw.vmap": lifted(draw),
          "draws.batch": family.sample!(key, both, [500, 2]).sum(0),
        };
      },
      {},
      3,
    );
    const same = (ours: readonly number[], theirs: readonly number[], what: string) => {
      expect(ours, what).toHaveLength(theirs.length);
      for (const [i, x] of ours.entries()) {
        expect(x === theirs[i] || Math.abs(x - theirs[i]!) <= 1e-12 * Math.max(1, Math.abs(x)), `${what}: ${x} and ${theirs[i]}`).toBe(true); // biome-ignore format: one line
      }
    };
    for (const way of ["batch", "vmap"]) {
      same(found[`value.${way}`]!, [...found["value.a"]!, ...found["value.b"]!], way);
      for (const name of names) {
        same(found[`slope.${way}.${name}`]!, [...found[`slope.a.${name}`]!, ...found[`slope.b.${name}`]!], `${way} ${name}`); // biome-ignore format: one line
      }
    }
    same(found["draw.vmap"]!, [...found["draw.a"]!, ...found["draw.b"]!], "draws");
    expect(found["draws.batch"]!.every(Number.isFinite)).toBe(true);
    expect(found["draws.batch"]).toHaveLength(2 * event.reduce((p, d) => p * d, 1));
  });
});
