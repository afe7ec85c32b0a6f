import { call, type Expr, f64, f64x2, i32, select, v128 } from "../../backends/wasm/assembler/expr.ts";
import { type FuncBuilder, type Local, ModuleBuilder } from "../../backends/wasm/assembler/module.ts";
import { CHAIN, layoutOf, pieceLayout } from "./point-layout.ts";
import { randomFunctions } from "./random-module.ts";
import { transitionsFunction } from "./run-module.ts";

/**
 * Runs of transitions of NUTS in the memory of a compiled density, which is called without the host: momenta, trees and the step size's
 * as there. The same for all densities of so many coordinates: where one lies stands in the chain's memory. Imports env.memory,
 * density.run, and the host's exp and log.
 *
 * @param shared  whether the memory is
 */
export function transitionModule(dim: number, shared: boolean): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder({ module: "env", name: "memory", shared });
  const at = layoutOf(dim);
  const run = m.importFunction("density", "run", ["i32", "i32", "i32", "i32"], []);
  const exp = m.importFunction("host", "exp", ["f64"], ["f64"]);
  const log = m.importFunction("host", "log", ["f64"], ["f64"]);
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

  const leapfrog = m.function(
    "leapfrog",
    ["i32", "i32", "i32", "i32", "i32", "f64"],
    [],
    (f, base, from, to, mass, dense, step) => {
      const [table, place, value, gradient] = (["table", "place", "value", "gradient"] as const).map((name) => f.let(i32.load(base!, CHAIN[name]))) as [Local, Local, Local, Local]; // biome-ignore format: one line
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
      elements(f, i, () => f.do(f64.store(i32.add(place, i), f64.load(b, at.u))));
      f.do(call(run, table, i32.const(1), zero, zero));
      elements(f, i, () => f.do(f64.store(b, f64.load(i32.add(gradient, i)), at.gradient)));
      f.do(f64.store(to!, f64.load(value), at.logDensity));
      const part = (offset: number) => i32.add(to!, i32.const(offset));
      f.do(call(multiply, mass!, dense!, part(at.gradient), part(at.natural)));
      pairs(f, i, () => {
        for (const [x, slope] of [[at.momentum, at.gradient], [at.velocity, at.natural]] as const) // biome-ignore format: pairs
          f.do(v128.store(b, f64x2.add(v128.load(b, x), f64x2.mul(half, v128.load(b, slope))), x));
      });
      f.do(call(setEnergy, to!));
    },
  );

  const { word, uniform, normal } = randomFunctions(m, { exp, log });
  const logAddExp = (a: Expr, b: Expr): Expr =>
    f64.add(f64.max(a, b), call(log, f64.add(f64.const(1), call(exp, f64.neg(f64.abs(f64.sub(a, b)))))));
  /** 1 with this log probability, where it is one. */
  const takes = (stream: Local, logProbability: Expr): Expr => f64.lt(call(log, call(uniform, stream)), logProbability);
  const p = pieceLayout(dim);
  const t = CHAIN;

  const take = m.function("take", ["i32"], ["i32"], (f, base) => {
    const count = f.let(i32.sub(i32.load(base!, t.freeCount), i32.const(1)));
    f.do(i32.store(base!, count, t.freeCount));
    return i32.load(i32.add(base!, i32.mul(count, i32.const(4))), t.free);
  });

  const release = m.function("release", ["i32", "i32"], [], (f, base, point) => {
    const left = f.let(i32.sub(i32.load(point!, at.references), i32.const(1)));
    f.do(i32.store(point!, left, at.references));
    f.if(i32.eqz(left), () => {
      const count = f.let(i32.load(base!, t.freeCount));
      f.do(i32.store(i32.add(base!, i32.mul(count, i32.const(4))), point!, t.free));
      f.do(i32.store(base!, i32.add(count, i32.const(1)), t.freeCount));
    });
  });

  /** Makes a piece of one point. */
  const setSingle = m.function("single", ["i32", "i32", "f64"], [], (f, piece, point, logWeight) => {
    for (const place of [p.begin, p.end, p.drawn]) f.do(i32.store(piece!, point!, place));
    f.do(i32.store(point!, i32.const(3), at.references));
    f.do(i32.store(piece!, zero, p.level));
    f.do(f64.store(piece!, logWeight!, p.logWeight));
    const i = f.local("i32");
    pairs(f, i, () => f.do(v128.store(i32.add(piece!, i), v128.load(i32.add(point!, i), at.momentum), p.rho)));
  });

  /** See `Trajectory.join`: 1 where no end turns back. */
  const join = m.function("join", ["i32", "i32", "i32"], ["i32"], (f, base, a, b) => {
    const i = f.local("i32");
    const [first, before] = [f.let(i32.load(a!, p.begin)), f.let(i32.load(a!, p.end))];
    const [after, last] = [f.let(i32.load(b!, p.begin)), f.let(i32.load(b!, p.end))];
    const sums = Array.from({ length: 6 }, () => f.local("f64"));
    elements(f, i, () => {
      const load = (point: Local, offset: number) => f64.load(i32.add(point, i), offset);
      const [ownA, ownB] = [f.let(load(a!, p.rho)), f.let(load(b!, p.rho))];
      const rho = f.let(f64.add(ownA, ownB));
      const left = f.let(f64.add(ownA, load(after, at.momentum)));
      const right = f.let(f64.add(ownB, load(before, at.momentum)));
      const products = [[first, rho], [last, rho], [first, left], [after, left], [before, right], [last, right]] as const; // biome-ignore format: pairs
      for (const [k, [end, momenta]] of products.entries())
        f.set(sums[k]!, f64.add(sums[k]!, f64.mul(load(end, at.velocity), momenta)));
      f.do(f64.store(i32.add(a!, i), rho, p.rho));
    });
    f.do(call(release, base!, before));
    f.do(call(release, base!, after));
    f.do(i32.store(a!, last, p.end));
    f.do(f64.store(a!, logAddExp(f64.load(a!, p.logWeight), f64.load(b!, p.logWeight)), p.logWeight));
    f.do(i32.store(a!, i32.add(i32.load(a!, p.level), i32.const(1)), p.level));
    return sums.map((sum) => f64.gt(sum, f64.const(0))).reduce((all, one) => i32.and(all, one));
  });

  /** The draw of joined pieces: b's where `takesB`. */
  const choose = m.function("choose", ["i32", "i32", "i32", "i32"], [], (f, base, a, b, takesB) => {
    const [ofA, ofB] = [f.let(i32.load(a!, p.drawn)), f.let(i32.load(b!, p.drawn))];
    f.do(call(release, base!, select(takesB!, ofA, ofB)));
    f.if(takesB!, () => f.do(i32.store(a!, ofB, p.drawn)));
  });

  /** A transition from the first point, whose place, log density, gradient and momentum are known: see `Trajectory.step`. */
  const transition = m.function("transition", ["i32", "i32", "i32", "f64"], [], (f, base, mass, dense, stepSize) => {
    const points = f.let(i32.add(base!, i32.load(base!, t.points)));
    const stream = f.let(i32.add(base!, i32.load(base!, t.stream)));
    const whole = f.let(i32.add(base!, i32.load(base!, t.pieces)));
    const bottom = f.let(i32.add(whole, i32.const(p.bytes)));
    const [i, j] = [f.local("i32"), f.local("i32")];
    // The last of the stack, and so the next that is taken, is the second point.
    const count = f.let(i32.load(base!, t.pointCount));
    f.for(i, i32.const(1), count, 1, () => {
      f.set(j, i32.sub(count, i32.add(i, i32.const(1))));
      f.do(i32.store(i32.add(base!, i32.mul(j, i32.const(4))), i32.add(points, i32.mul(i, i32.const(at.bytes))), t.free)); // biome-ignore format: one line
    });
    f.do(i32.store(base!, i32.sub(count, i32.const(1)), t.freeCount));
    f.do(call(complete, points, mass!, dense!));
    f.do(call(setSingle, whole, points, f64.const(0)));
    const energy = f.let(f64.load(points, at.energy));
    const maxEnergyError = f.let(f64.load(base!, t.maxEnergyError));
    const maxDepth = f.let(i32.load(base!, t.maxDepth));
    const one = i32.const(1);
    const [depth, leapfrogs, divergent, isForwards, left, b, to] = Array.from({ length: 7 }, () => f.local("i32")) as [Local, Local, Local, Local, Local, Local, Local]; // biome-ignore format: one line
    const [acceptance, change, step] = [f.local("f64"), f.local("f64"), f.local("f64")];
    const [going, top, from] = [f.let(one), f.local("i32"), f.local("i32")];
    f.set(isForwards, one);
    f.while(
      () => i32.and(going, i32.lt_s(depth, maxDepth)),
      () => {
        // The upper half of the words, as signed integers, is negative.
        const direction = f.let(i32.ge_s(call(word, stream), zero));
        f.if(i32.ne(direction, isForwards), () => {
          const begin = f.let(i32.load(whole, p.begin));
          f.do(i32.store(whole, i32.load(whole, p.end), p.begin));
          f.do(i32.store(whole, begin, p.end));
          f.set(isForwards, direction);
        });
        f.set(step, select(isForwards, stepSize!, f64.neg(stepSize!)));
        // The pieces of the stack lie from `bottom` on; `top` is the last of them.
        f.set(top, whole);
        f.set(from, i32.load(whole, p.end));
        f.set(left, i32.shl(one, depth));
        f.while(
          () => i32.and(i32.gt_s(left, zero), going),
          () => {
            f.set(to, call(take, base!));
            f.do(call(leapfrog, base!, from, to, mass!, dense!, step));
            f.set(from, to);
            f.set(leapfrogs, i32.add(leapfrogs, one));
            f.set(change, f64.sub(energy, f64.load(to, at.energy)));
            f.if(
              f64.ge(change, f64.const(0)),
              () => f.set(acceptance, f64.add(acceptance, f64.const(1))),
              () => f.set(acceptance, f64.add(acceptance, call(exp, change))),
            );
            f.set(divergent, f64.lt(change, f64.neg(maxEnergyError)));
            f.if(
              divergent,
              () => f.set(going, zero),
              () => {
                f.set(top, i32.add(top, i32.const(p.bytes)));
                f.do(call(setSingle, top, to, change));
                const below = i32.sub(top, i32.const(p.bytes));
                f.while(
                  () => i32.and(going, i32.and(i32.gt_u(top, bottom), i32.eq(i32.load(below, p.level), i32.load(top, p.level)))), // biome-ignore format: one line
                  () => {
                    f.set(b, top);
                    f.set(top, below);
                    f.set(going, call(join, base!, top, b));
                    f.if(going, () => {
                      const gain = f64.sub(f64.load(b, p.logWeight), f64.load(top, p.logWeight));
                      f.do(call(choose, base!, top, b, takes(stream, gain)));
                    });
                  },
                );
              },
            );
            f.set(left, i32.sub(left, one));
          },
        );
        f.if(going, () => {
          f.set(depth, i32.add(depth, one));
          const taken = f.let(takes(stream, f64.sub(f64.load(bottom, p.logWeight), f64.load(whole, p.logWeight))));
          f.set(going, call(join, base!, whole, bottom));
          f.do(call(choose, base!, whole, bottom, taken));
        });
      },
    );
    const results = { depth, leapfrogs, divergent, last: to, drawn: i32.load(whole, p.drawn) };
    for (const [name, value] of Object.entries(results)) f.do(i32.store(base!, value, t[name as keyof typeof results]));
    f.do(f64.store(base!, acceptance, t.acceptance));
  });
  m.export("transitions", transitionsFunction(m, dim, { exp, normal, transition }));
  return m.encode();
}
