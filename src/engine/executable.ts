import { InternalError } from "../base/errors.ts";
import type { Backend, CompileOptions, Executable } from "../backends/backend.ts";
import { type Graph, printGraph } from "../ir/graph.ts";
import { fuse } from "../passes/fuse.ts";
import { type Plan, planMemory } from "../passes/plan.ts";
import { simplify } from "../passes/simplify.ts";
import { verify } from "../passes/verify.ts";

/** A graph that went through the passes and a backend. */
export interface CompiledGraph {
  readonly plan: Plan;
  readonly executable: Executable;
}

/** Compiled graphs by backend, options and text: equal programs are compiled once, whatever their data. */
const cache = new Map<string, Promise<CompiledGraph>>();
const CACHE_SIZE = 256;

/** The passes, in order. */
export function planGraph(graph: Graph, backend: Backend): Plan {
  const simple = verify(simplify(verify(graph, "trace"), backend.keeps), "simplify");
  return planMemory(fuse(simple));
}

export function compileGraph(graph: Graph, backend: Backend, options: CompileOptions): Promise<CompiledGraph> {
  const key = `${backend.name} ${JSON.stringify(options)}\n${printGraph(graph)}`;
  const known = cache.get(key);
  if (known) {
    cache.delete(key);
    cache.set(key, known);
    return known;
  }
  const compiled = (async () => {
    const plan = planGraph(graph, backend);
    for (const name of graph.outputs.keys()) {
      if (!plan.graph.outputs.has(name)) throw new InternalError(`output ${name} was lost`);
    }
    return { plan, executable: await backend.compile(plan, options) };
  })();
  cache.set(key, compiled);
  if (cache.size > CACHE_SIZE) cache.delete(cache.keys().next().value!);
  return compiled;
}
