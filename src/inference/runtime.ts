import { sizeOf } from "../base/shape.ts";
import { defaultRuntime, Runtime } from "../engine/runtime.ts";
import { reachable } from "../ir/graph.ts";
import type { TracedModel } from "../model/site.ts";
import { matmulSizes } from "../ops/contract.ts";

/** Products from which a library's call pays, matrices to be factored, and elements that threads can share. */
const HEAVY_PRODUCT = 8192;
const HEAVY_MATRIX = 32;
const HEAVY_TENSOR = 100_000;

let light: Runtime | null = null;

/**
 * Where a model is fitted when no runtime is given. Loading a BLAS and starting threads takes longer than most small fits: they
 * wait until a model has something for them to do.
 */
export async function runtimeOf(model: TracedModel): Promise<Runtime> {
  const roots = model.sites.flatMap((site) => ("logProb" in site && site.logProb ? [site.logProb.node] : []));
  const heavy = reachable(roots).some((node) => {
    if (sizeOf(node.shape) >= HEAVY_TENSOR) return true;
    if (node.op === "cholesky" || node.op === "triangularSolve") return node.inputs[0]!.shape.at(-1)! >= HEAVY_MATRIX;
    if (node.op !== "matmul") return false;
    const { batch, m, n, k } = matmulSizes(node);
    return batch * m * n * k >= HEAVY_PRODUCT;
  });
  if (heavy) return defaultRuntime();
  light ??= new Runtime();
  return light;
}
