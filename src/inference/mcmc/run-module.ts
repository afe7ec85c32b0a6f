import { call, type FuncRef, f64, i32 } from "../../backends/wasm/assembler/expr.ts";
import type { FuncBuilder, Local, ModuleBuilder } from "../../backends/wasm/assembler/module.ts";
import { AVERAGING } from "./dual-averaging.ts";
import { CHAIN, layoutOf, rowLayout } from "./point-layout.ts";

/** What runs are made of: the host's exp, a draw from N(0, 1), and a transition of transition-module.ts. */
interface Parts {
  readonly exp: FuncRef;
  readonly normal: FuncRef;
  readonly transition: FuncRef;
}

/** Runs of transitions: momenta before each, a row of what it was like after it, and the step size's adaptation. See native-chain.ts. */
export function transitionsFunction(m: ModuleBuilder, dim: number, { exp, normal, transition }: Parts): FuncRef {
  const at = layoutOf(dim);
  const t = CHAIN;
  const zero = i32.const(0);
  const infinite = f64.const(Number.POSITIVE_INFINITY);
  /** A loop over the elements of a vector: `i` is their offset in bytes. */
  const elements = (f: FuncBuilder, i: Local, body: () => void) => f.for(i, zero, i32.const(8 * dim), 8, body);

  /** p ~ N(0, M): `scale` has 1/sd of each coordinate, or the rows of the Cholesky factor of a dense M⁻¹. See metric.ts. */
  const drawMomentum = m.function("momentum", ["i32", "i32", "i32", "i32"], [], (f, stream, momentum, scale, dense) => {
    const [i, j, row] = [f.local("i32"), f.local("i32"), f.local("i32")];
    const [own, other] = [i32.add(momentum!, i), i32.add(momentum!, j)];
    elements(f, i, () => f.do(f64.store(own, call(normal, stream!))));
    f.if(
      dense!,
      () => {
        f.set(row, i32.add(scale!, i32.const(8 * dim * dim)));
        f.set(i, i32.const(8 * dim));
        f.while(
          () => i,
          () => {
            f.set(i, i32.sub(i, i32.const(8)));
            f.set(row, i32.sub(row, i32.const(8 * dim)));
            const value = f.let(f64.div(f64.load(own), f64.load(i32.add(row, i))));
            f.do(f64.store(own, value));
            f.for(j, zero, i, 8, () =>
              f.do(f64.store(other, f64.sub(f64.load(other), f64.mul(f64.load(i32.add(row, j)), value)))),
            );
          },
        );
      },
      () => elements(f, i, () => f.do(f64.store(own, f64.mul(f64.load(i32.add(scale!, i)), f64.load(own))))),
    );
  });

  const row = rowLayout(dim);
  /** Writes down a transition as row k, and makes the drawn point the start of the next. */
  const record = m.function("record", ["i32", "i32"], [], (f, base, k) => {
    const rows = f.let(i32.add(base!, i32.load(base!, t.rows)));
    const start = f.let(i32.add(base!, i32.load(base!, t.points)));
    const [drawn, last] = [f.let(i32.load(base!, t.drawn)), f.let(i32.load(base!, t.last))];
    const vectors = f.let(i32.add(rows, i32.mul(k!, i32.const(8 * dim))));
    const numbers = f.let(i32.add(rows, i32.shl(k!, i32.const(3))));
    const words = f.let(i32.add(rows, i32.shl(k!, i32.const(2))));
    const i = f.local("i32");
    for (const [from, to] of [[at.u, row.u], [at.gradient, row.gradient]] as const) // biome-ignore format: pairs
      elements(f, i, () => {
        const value = f.let(f64.load(i32.add(drawn, i), from));
        f.do(f64.store(i32.add(vectors, i), value, to));
        f.do(f64.store(i32.add(start, i), value, from));
      });
    const logDensity = f.let(f64.load(drawn, at.logDensity));
    f.do(f64.store(start, logDensity, at.logDensity));
    f.do(f64.store(numbers, logDensity, row.logDensity));
    f.do(f64.store(numbers, f64.load(drawn, at.energy), row.energy));
    f.do(f64.store(numbers, f64.load(base!, t.stepSize), row.stepSize));
    const leapfrogs = f64.convert_i32_s(i32.load(base!, t.leapfrogs));
    f.do(f64.store(numbers, f64.div(f64.load(base!, t.acceptance), leapfrogs), row.acceptance));
    for (const name of ["depth", "leapfrogs", "divergent"] as const)
      f.do(i32.store(words, i32.load(base!, t[name]), row[name]));
    const isFinite = f64.lt(f64.abs(f64.load(last, at.logDensity)), infinite);
    const isFirst = i32.lt_s(i32.load(base!, t.nonFiniteRow), zero);
    f.if(i32.and(i32.load(base!, t.divergent), i32.and(i32.eqz(isFinite), isFirst)), () => {
      f.do(i32.store(base!, k!, t.nonFiniteRow));
      elements(f, i, () => f.do(f64.store(i32.add(rows, i), f64.load(i32.add(last, i), at.u), row.nonFinite)));
    });
  });

  /** See `updateDualAveraging`. */
  const adapt = m.function("adapt", ["i32", "f64"], [], (f, base, acceptance) => {
    const load = (place: "center" | "logAverage" | "shortfall" | "count" | "target") => f64.load(base!, t[place]);
    const one = f64.const(1);
    const count = f.let(f64.add(load("count"), one));
    const weight = f.let(f64.div(one, f64.add(count, f64.const(AVERAGING.offset))));
    const missed = f64.sub(load("target"), f64.min(one, acceptance!));
    const shortfall = f.let(f64.add(f64.mul(f64.sub(one, weight), load("shortfall")), f64.mul(weight, missed)));
    const root = f.let(f64.sqrt(count));
    const logStepSize = f.let(
      f64.sub(load("center"), f64.mul(f64.div(root, f64.const(AVERAGING.shrinkage)), shortfall)),
    );
    const forget = f.let(f64.div(one, f64.mul(root, f64.sqrt(root))));
    const logAverage = f64.add(f64.mul(forget, logStepSize), f64.mul(f64.sub(one, forget), load("logAverage")));
    f.do(f64.store(base!, logAverage, t.logAverage));
    f.do(f64.store(base!, count, t.count));
    f.do(f64.store(base!, shortfall, t.shortfall));
    f.do(f64.store(base!, logStepSize, t.logStepSize));
    f.do(f64.store(base!, call(exp, logStepSize), t.stepSize));
  });

  /** So many transitions from the first point, whose place, log density and gradient are known. */
  return m.function("transitions", ["i32", "i32", "i32", "i32", "i32"], [], (f, base, mass, scale, dense, count) => {
    const start = f.let(i32.add(base!, i32.load(base!, t.points)));
    const stream = f.let(i32.add(base!, i32.load(base!, t.stream)));
    const numbers = f.let(i32.add(base!, i32.load(base!, t.rows)));
    f.do(i32.store(base!, i32.const(-1), t.nonFiniteRow));
    const k = f.local("i32");
    f.for(k, zero, count!, 1, () => {
      f.do(call(drawMomentum, stream, i32.add(start, i32.const(at.momentum)), scale!, dense!));
      f.do(call(transition, base!, mass!, dense!, f64.load(base!, t.stepSize)));
      f.do(call(record, base!, k));
      f.if(i32.load(base!, t.adapts), () => f.do(call(adapt, base!, f64.load(numbers, row.acceptance))));
      f.set(numbers, i32.add(numbers, i32.const(8)));
    });
  }); // biome-ignore format: one line
}
