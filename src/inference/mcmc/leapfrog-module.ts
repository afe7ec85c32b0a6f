import { call, f64, f64x2, i32, select, v128 } from "../../backends/wasm/assembler/expr.ts";
import { type FuncBuilder, type Local, ModuleBuilder } from "../../backends/wasm/assembler/module.ts";
import { layoutOf } from "./point-layout.ts";

/** Where a compiled density lies in its memory: byte addresses of its table, of u [dim], the log density and its gradient [dim]. */
export interface DensityPlaces {
  readonly dim: number;
  /** Whether the memory is shared. */
  readonly shared: boolean;
  readonly table: number;
  readonly place: number;
  readonly value: number;
  readonly gradient: number;
}

/**
 * The functions of `phase-space.ts` for points that lie in the memory of a compiled density, which they call without the host: the
 * same operations in the same order, and so the same bits as there. Imports env.memory and density.run.
 */
export function leapfrogModule({ dim, shared, table, place, value, gradient }: DensityPlaces): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder({ module: "env", name: "memory", shared });
  const at = layoutOf(dim);
  const run = m.importFunction("density", "run", ["i32", "i32", "i32", "i32"], []);
  const zero = i32.const(0);
  const infinite = f64.const(Number.POSITIVE_INFINITY);

  /** A loop over the pairs of elements of a vector: `i` is their offset in bytes. */
  const pairs = (f: FuncBuilder, i: Local, body: () => void) => f.for(i, zero, i32.const(at.vectorBytes), 16, body);
  /** A loop over single elements. */
  const elements = (f: FuncBuilder, i: Local, body: () => void) => f.for(i, zero, i32.const(8 * dim), 8, body);

  /** target = M⁻¹ source; a dense M⁻¹ is stored by columns, so that each element's sum goes over the columns in order. */
  const multiply = m.function("multiply", ["i32", "i32", "i32", "i32"], [], (f, mass, dense, source, target) => {
    const [i, j, column] = [f.local("i32"), f.local("i32"), f.local("i32")];
    const [from, to] = [i32.add(source!, i), i32.add(target!, i)];
    f.if(
      dense!,
      () => {
        pairs(f, i, () => f.do(v128.store(to, f64x2.const(0))));
        f.set(column, mass!);
        elements(f, j, () => {
          const factor = f.let(v128.load64_splat(i32.add(source!, j)));
          pairs(f, i, () =>
            f.do(v128.store(to, f64x2.add(v128.load(to), f64x2.mul(v128.load(i32.add(column, i)), factor)))),
          );
          f.set(column, i32.add(column, i32.const(at.vectorBytes)));
        });
      },
      () => pairs(f, i, () => f.do(v128.store(to, f64x2.mul(v128.load(i32.add(mass!, i)), v128.load(from))))),
    );
  });

  /** −log π + ½ pᵀ v; +∞ where that is not finite. */
  const setEnergy = m.function("energy", ["i32"], [], (f, point) => {
    const [i, twice] = [f.local("i32"), f.local("f64")];
    const here = i32.add(point!, i);
    elements(f, i, () =>
      f.set(twice, f64.add(twice, f64.mul(f64.load(here, at.momentum), f64.load(here, at.velocity)))),
    );
    const energy = f.let(f64.sub(f64.mul(f64.const(0.5), twice), f64.load(point!, at.logDensity)));
    f.do(f64.store(point!, select(f64.lt(f64.abs(energy), infinite), energy, infinite), at.energy));
  });

  const complete = m.function("complete", ["i32", "i32", "i32"], [], (f, point, mass, dense) => {
    const part = (offset: number) => i32.add(point!, i32.const(offset));
    f.do(call(multiply, mass!, dense!, part(at.momentum), part(at.velocity)));
    f.do(call(multiply, mass!, dense!, part(at.gradient), part(at.natural)));
    f.do(call(setEnergy, point!));
  });

  const leapfrog = m.function("leapfrog", ["i32", "i32", "i32", "i32", "f64"], [], (f, from, to, mass, dense, step) => {
    const i = f.local("i32");
    const half = f.let(f64x2.splat(f64.mul(f64.const(0.5), step!)));
    const whole = f.let(f64x2.splat(step!));
    const [a, b] = [i32.add(from!, i), i32.add(to!, i)];
    const moved = (x: number, by: Local, direction: number) =>
      f64x2.add(v128.load(a, x), f64x2.mul(by, v128.load(a, direction)));
    pairs(f, i, () => {
      f.do(v128.store(b, moved(at.momentum, half, at.gradient), at.momentum));
      const velocity = f.let(moved(at.velocity, half, at.natural));
      f.do(v128.store(b, velocity, at.velocity));
      f.do(v128.store(b, f64x2.add(v128.load(a, at.u), f64x2.mul(whole, velocity)), at.u));
    });
    elements(f, i, () => f.do(f64.store(i32.add(i32.const(place | 0), i), f64.load(b, at.u))));
    f.do(call(run, i32.const(table | 0), i32.const(1), zero, zero));
    elements(f, i, () => f.do(f64.store(b, f64.load(i32.add(i32.const(gradient | 0), i)), at.gradient)));
    f.do(f64.store(to!, f64.load(i32.const(value | 0)), at.logDensity));
    const part = (offset: number) => i32.add(to!, i32.const(offset));
    f.do(call(multiply, mass!, dense!, part(at.gradient), part(at.natural)));
    pairs(f, i, () => {
      for (const [x, slope] of [[at.momentum, at.gradient], [at.velocity, at.natural]] as const) // biome-ignore format: pairs
        f.do(v128.store(b, f64x2.add(v128.load(b, x), f64x2.mul(half, v128.load(b, slope))), x));
    });
    f.do(call(setEnergy, to!));
  });

  /** See `PhaseSpace.join`: 1 where no end turns back. */
  const join = m.function(
    "join",
    ["i32", "i32", "i32", "i32", "i32", "i32"],
    ["i32"],
    (f, first, before, after, last, rhoA, rhoB) => {
      const i = f.local("i32");
      const sums = Array.from({ length: 6 }, () => f.local("f64"));
      elements(f, i, () => {
        const load = (base: Local, offset = 0) => f64.load(i32.add(base, i), offset);
        const [a, b] = [f.let(load(rhoA!)), f.let(load(rhoB!))];
        const rho = f.let(f64.add(a, b));
        const left = f.let(f64.add(a, load(after!, at.momentum)));
        const right = f.let(f64.add(b, load(before!, at.momentum)));
        const products = [[first!, rho], [last!, rho], [first!, left], [after!, left], [before!, right], [last!, right]] as const; // biome-ignore format: pairs
        for (const [k, [end, momenta]] of products.entries())
          f.set(sums[k]!, f64.add(sums[k]!, f64.mul(load(end, at.velocity), momenta)));
        f.do(f64.store(i32.add(rhoA!, i), rho));
      });
      return sums.map((sum) => f64.gt(sum, f64.const(0))).reduce((all, one) => i32.and(all, one));
    },
  );
  for (const [name, ref] of Object.entries({ complete, leapfrog, join })) m.export(name, ref);
  return m.encode();
}
