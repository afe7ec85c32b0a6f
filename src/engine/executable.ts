import type { Backend, CompileOptions, Executable } from "../backends/backend.ts";
import { InternalError } from "../base/errors.ts";
import { type Graph, nodesOf, printGraph } from "../ir/graph.ts";
import { opRow } from "../ops/table.ts";
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

/** The passes, in order: first those that leave a graph, then those that lay it out. */
function simplified(traced: Graph, backend: Backend): Graph {
  const simple = (graph: Graph) => verify(simplify(graph, backend.keeps), "simplify");
  let graph = simple(verify(traced, "trace"));
  for (const tidy of new Set(nodesOf(graph).map((node) => opRow(node.op).tidy))) {
    if (tidy)
      graph = simple(
        verify(
          tidy(graph, (inner) => simplified(inner, backend)),
          "tidy",
        ),
      );
  }
  return graph;
}
export const planGraph = (graph: Graph, backend: Backend): Plan => planMemory(fuse(simplified(graph, backend)));

export function compileGraph(traced: Graph, backend: Backend, options: CompileOptions): Promise<CompiledGraph> {
  const graph = simplified(traced, backend);
  // The simplified text: there the rules of customVjp, which are new functions in each trace, are gone.
  const key = `${backend.name} ${JSON.stringify(options)}\n${printGraph(graph)}`;
  const known = cache.get(key);
  if (known) {
    cache.delete(key);
    cache.set(key, known);
    return known;
  }
  const compiled = (async () => {
    const plan = planMemory(fuse(graph));
    for (const name of traced.outputs.keys()) {
      if (!plan.graph.outputs.has(name)) throw new InternalError(`output ${name} was lost`);
    }
    return { plan, executable: await backend.compile(plan, options) };
  })();
  cache.set(key, compiled);
  compiled.catch(() => cache.delete(key));
  if (cache.size > CACHE_SIZE) cache.delete(cache.keys().next().value!);
  return compiled;
}
