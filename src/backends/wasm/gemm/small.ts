import { type FuncRef, i32, select } from "../assembler/expr.ts";
import type { Local, ModuleBuilder } from "../assembler/module.ts";
import { i32s, type Lanes, type Locals } from "./lanes.ts";

/**
 * The product by its definition, c[i, j] = Σ_p op(a)[i, p] op(b)[p, j], for a handful of elements.
 * Parameters (all i32): transA, transB, m, n, k, a, lda, b, ldb, c, ldc; k is at least 1.
 */
export function smallFunction(m: ModuleBuilder, t: Lanes): FuncRef {
  const name = `gemm.${t.dtype}.small`;
  return m.once(name, () =>
    m.function(name, i32s(11), [], (f, ...params) => {
      const [transA, transB, rows, cols, k, a, lda, b, ldb, c, ldc] = params as Locals<11>;
      const element = i32.const(t.bytes);
      const [aRow, aColumn] = strides(lda, transA);
      const [bRow, bColumn] = strides(ldb, transB);
      function strides(ld: Local, trans: Local): [Local, Local] {
        const long = f.let(i32.mul(ld, element));
        return [f.let(select(trans, element, long)), f.let(select(trans, long, element))];
      }
      const cGap = f.let(i32.mul(i32.sub(ldc, cols), element));
      const [j, p, x, y, bj] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
      const sum = f.local(t.dtype);
      f.doWhile(
        () => {
          f.set(bj, b);
          f.for(j, i32.const(0), cols, 1, () => {
            f.set(x, a);
            f.set(y, bj);
            f.set(sum, t.scalar.zero);
            f.for(p, i32.const(0), k, 1, () => {
              f.set(sum, t.scalar.add(sum, t.scalar.mul(t.scalar.load(x), t.scalar.load(y))));
              f.set(x, i32.add(x, aColumn));
              f.set(y, i32.add(y, bRow));
            });
            f.do(t.scalar.store(c, sum));
            f.set(c, i32.add(c, element));
            f.set(bj, i32.add(bj, bColumn));
          });
          f.set(c, i32.add(c, cGap));
          f.set(a, i32.add(a, aRow));
          f.set(rows, i32.sub(rows, i32.const(1)));
        },
        () => rows,
      );
    }),
  );
}
