import type { Executable, NodeReport } from "../backends/backend.ts";
import { bytesOf } from "../base/dtype.ts";
import { showShape, sizeOf } from "../base/shape.ts";
import { nodesOf, printGraph } from "../ir/graph.ts";
import { matmulSizes } from "../ops/contract.ts";
import { type Kernel, readsOf, writesOf } from "../passes/fuse.ts";
import type { Plan } from "../passes/plan.ts";

export interface KernelReport {
  readonly kernel: string;
  readonly shape: string;
  /** Bytes read and written, each stored value counted once. */
  readonly bytes: number;
  /** Floating-point operations: 2·m·n·k for a product, one for each element of an elementwise value. */
  readonly flops: number;
}

/** What `explain` says of a compiled program: its graph, kernels, memory and which backend runs each node. */
export interface Explanation {
  readonly backend: string;
  readonly graph: string;
  readonly nodes: readonly NodeReport[];
  readonly kernels: readonly KernelReport[];
  readonly arenaBytes: number;
  readonly codeBytes: number;
  readonly imports: readonly string[];
  readonly bytes: number;
  readonly flops: number;
  toString(): string;
}

function flopsOf(kernel: Kernel): number {
  if (kernel.kind === "loop") return sizeOf(kernel.shape) * (kernel.body.length + kernel.reductions.length);
  if (kernel.node.op !== "matmul") return 0;
  const { batch, m, n, k } = matmulSizes(kernel.node);
  return 2 * batch * m * n * k;
}

export function explain(plan: Plan, executable: Executable): Explanation {
  const kernels = plan.kernels.map((kernel, i): KernelReport => {
    const touched = [...readsOf(kernel, plan.accesses), ...writesOf(kernel)];
    const shape = kernel.kind === "loop" ? kernel.shape : kernel.node.shape;
    const name = kernel.kind === "loop" ? `loop of ${kernel.body.length + kernel.reductions.length}` : kernel.node.op;
    const bytes = touched.reduce((n, node) => n + sizeOf(node.shape) * bytesOf(node.dtype), 0);
    return { kernel: `k${i} ${name}`, shape: showShape(shape), bytes, flops: flopsOf(kernel) };
  });
  const bytes = kernels.reduce((n, k) => n + k.bytes, 0);
  const flops = kernels.reduce((n, k) => n + k.flops, 0);
  const { nodes, backend, codeBytes, imports } = executable;
  return {
    backend,
    graph: printGraph(plan.graph),
    nodes,
    kernels,
    arenaBytes: plan.arenaBytes,
    codeBytes,
    imports,
    bytes,
    flops,
    toString() {
      const rows = kernels.map(
        (k) => `  ${k.kernel.padEnd(16)} ${k.shape.padEnd(16)} ${k.bytes} bytes, ${k.flops} flops`,
      );
      const count = nodesOf(plan.graph).length;
      return [
        `${count} nodes in ${kernels.length} kernels on ${backend}; ${plan.arenaBytes} bytes of arena, ${codeBytes} bytes of code`,
        ...rows,
        `a step: ${bytes} bytes, ${flops} flops`,
      ].join("\n");
    },
  };
}
