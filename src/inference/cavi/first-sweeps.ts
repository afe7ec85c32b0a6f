import type { Buffer } from "../../engine/runtime.ts";
import { f64, program } from "../../program/program.ts";
import type { Block } from "./blocks/block.ts";
import { isBound } from "./moments.ts";
import type { Structure } from "./structure.ts";
import { inputsOf, readyFor, type Setting, stateKey, sweepOnce } from "./sweep.ts";

/** Sweeps of each stage, and the relative change of the bound at which it ends sooner. */
const FIRST = 8;
const SECOND = 25;
const SETTLED = 1e-4;
/** What scales that wait are multiplied by: data in any unit then decide alone where loadings go. */
const WIDE = 1e8;

export interface FirstSweeps {
  /** Brings the state from its start to where ordinary sweeps can go on. */
  run(): void;
}

/**
 * Where two Gaussian sites are multiplied (loadings and scores), both at 0 is a point that ordinary sweeps may run into and never leave:
 * the noise takes all of the data's variance, and the precision of the loadings grows without end. So one side of each product keeps its
 * random start until the other has been fitted to it, and only then do both move; the precisions of their priors are next to nothing until
 * both are settled (as in Bishop 1999, where relevance is determined for loadings that PCA has found). Every step is an ordinary update, so the bound rises.
 *
 * @returns null where nothing is multiplied
 */
export async function firstSweeps(setting: Setting): Promise<FirstSweeps | null> {
  const { structure, problem, buffers } = setting;
  const { waiting, held } = stagesOf(structure, new Set(problem.layout.sites.filter((s) => s.kind === "observe" || s.kind === "factor").map((s) => s.name))); // biome-ignore format: one line
  if (!held.length) return null;
  const { inputs: given, data } = inputsOf(setting);
  const key = (b: Block): string => `moves.${b.name}`;
  const { blocks } = structure;
  const moves = Object.fromEntries(blocks.map((b): [string, Buffer] => [key(b), problem.runtime.buffer("f64", [])]));
  const made = await program({
    state: buffers,
    inputs: { ...given, ...Object.fromEntries(blocks.map((b) => [key(b), f64([])])) },
    runtime: problem.runtime,
    deterministic: problem.deterministic,
    body: ({ state, inputs }) => {
      const like = Object.values(state)[0]!;
      const ready = readyFor(setting, like, inputs);
      const { next, elbo } = sweepOnce(ready, state, { moves: Object.fromEntries(blocks.map((b) => [b.name, inputs[key(b)]!])) }); // biome-ignore format: one line
      return { state: next, outputs: { elbo } };
    },
  });
  made.prepare({ ...data, ...moves } as never);
  const stage = (still: readonly Block[], most: number): void => {
    for (const b of blocks) moves[key(b)]!.write(Float64Array.of(still.includes(b) ? 0 : 1));
    let last = -Infinity;
    for (let n = 0; n < most; n++) {
      made.step();
      const bound = (made.outputs.elbo.view() as Float64Array)[0]!;
      if (!isBound(bound) || bound - last <= SETTLED * Math.abs(bound)) return;
      last = bound;
    }
  };
  return {
    run: () => {
      for (const b of waiting) {
        for (const name of ["rate", "inverseScale"]) {
          const scale = b.state[name] && (buffers[stateKey(b, name)]!.view() as Float64Array);
          if (scale) for (let i = 0; i < scale.length; i++) scale[i]! *= WIDE;
        }
      }
      stage([...waiting, ...held], FIRST);
      stage(waiting, SECOND);
    },
  };
}

/** `held`: one side of each product, that whose prior has no latent scale, else the later one. `waiting`: scales of priors alone. */
function stagesOf({ blocks, multiplied, terms }: Structure, given: ReadonlySet<string>) {
  const touching = (b: Block) => terms.filter((t) => t.sites.some((s) => b.sites.includes(s)));
  const factors = new Set([...multiplied].flat());
  const ofFactors = (b: Block) => touching(b).some((t) => factors.has(t.name));
  const waiting = blocks.filter(
    (b) => !b.sites.some((s) => factors.has(s)) && ofFactors(b) && touching(b).every((t) => !given.has(t.name)),
  );
  const scaled = (site: string) =>
    terms.find((t) => t.name === site)?.sites.some((s) => waiting.some((b) => b.sites.includes(s))) ?? false;
  const order = (site: string) => blocks.findIndex((b) => b.sites.includes(site));
  const held = new Set<Block>();
  for (const pair of multiplied) {
    const own = pair.map((site) => blocks[order(site)]!);
    if (own.some((b) => held.has(b)) || new Set(own).size === 1) continue;
    const [first] = [...pair].sort((a, b) => Number(scaled(a)) - Number(scaled(b)) || order(b) - order(a));
    held.add(blocks[order(first!)]!);
  }
  return { waiting, held: [...held] };
}
