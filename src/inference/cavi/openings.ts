import { sizeOf } from "../../base/shape.ts";
import { possibleSubsampling } from "../subsampling.ts";
import type { Block } from "./blocks/block.ts";
import { compileLocalSweeps, type Division, dividedBy } from "./local-sweeps.ts";
import type { Setting } from "./sweep.ts";

/** How many sweeps begin with local factors made anew. */
const OPENINGS = 15;
/** Local sweeps of each, at most, and the relative change of their part of the bound at which they end sooner. */
const LOCAL_SWEEPS = 10;
const LOCAL_TOLERANCE = 1e-4;

export interface Openings {
  readonly count: number;
  /** Brings the local factors from their priors to near their optima given the global ones. */
  begin(): void;
}

/**
 * Where counts or labels are shared out among states with probabilities or rates of their own in each element of a plate (a document's
 * topics), what an element has lost it never finds again: under a sparse prior the probability of a state with no counts is next to
 * nothing, and it gets no more of them. So a fit's first sweeps begin these factors anew, from their priors, as each visit of stochastic
 * steps does (Hoffman, Blei and Bach 2010, algorithm 2), until the states mean something.
 *
 * @returns null where nothing is shared out so
 */
export async function openingsOf(setting: Setting): Promise<Openings | null> {
  const division = sharingOut(setting);
  if (!division) return null;
  const local = await compileLocalSweeps(setting, division);
  return {
    count: OPENINGS,
    begin() {
      local.start();
      local.solve(LOCAL_SWEEPS, LOCAL_TOLERANCE);
    },
  };
}

/** The plates' factors, where some of them share out counts or labels. */
function sharingOut({ problem, structure }: Setting): Division | null {
  const { blocks, terms, inexact } = structure;
  const together = (a: Block, b: Block): boolean => terms.some((t) => [a, b].every((x) => t.sites.some((s) => x.sites.includes(s)))); // biome-ignore format: one line
  const counts = (b: Block): boolean => terms.some((t) => inexact.bounded.includes(t.name) && t.sites.some((s) => b.sites.includes(s))); // biome-ignore format: one line
  const labels = (b: Block, among: readonly Block[]): boolean => b.family === "dirichlet" && among.some((z) => z.family === "categorical" && together(b, z)); // biome-ignore format: one line
  const shares = (among: readonly Block[]): boolean => among.some((b) => rowsOf(b) > 1 && (counts(b) || labels(b, among))); // biome-ignore format: one line
  if (!shares(blocks)) return null;
  const plates = possibleSubsampling(problem)?.plates.map((p) => p.name);
  const division = plates && dividedBy(plates, blocks, problem.layout);
  return division && shares(division.local) ? division : null;
}

/** Of probabilities or rates: how many there are in a plate. */
function rowsOf({ family, state }: Block): number {
  if (family === "dirichlet") return sizeOf(state.concentration!.slice(0, -1));
  return family === "gamma" ? sizeOf(state.rate!) : 0;
}
