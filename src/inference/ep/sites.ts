import { OptionError } from "../../base/errors.ts";
import { sizeOf } from "../../base/shape.ts";
import type { Problem } from "../problem.ts";
import { type Slice, slicer } from "../slicer.ts";
import { MOST_PROJECTIONS, type Projected, project } from "./projections.ts";
import { type Read, readAffine } from "./read-affine.ts";
import { characterise } from "./recognise.ts";
import type { SiteBlock, SiteFunction } from "./site-block.ts";
import { compileRows, positionsOf, type RowProgram } from "./site-program.ts";

export interface SiteOptions {
  readonly read?: Read;
  /** The projections are of z − origin. Default 0. */
  readonly origin?: Float64Array;
  /** The power that EP is to use. Default 1. */
  readonly alpha?: number;
  readonly slice?: Slice;
}

/** Rows of the small program, for one site at a time, and of the large one. */
const FEW = 64;
const MANY = 2048;

/** All sites of a problem: every element of every term that is not quadratic in z. */
export async function sitesOf(problem: Problem, options: SiteOptions = {}): Promise<SiteBlock[]> {
  const read = options.read ?? (await readAffine(problem));
  const blocks = await Promise.all(read.divided.sites.map((_, term) => blocksOf(problem, read, term, options)));
  return blocks.flat();
}

async function blocksOf(
  problem: Problem,
  read: Read,
  term: number,
  { origin, alpha = 1, slice = slicer(undefined) }: SiteOptions,
): Promise<SiteBlock[]> {
  const { name, root } = read.divided.sites[term]!;
  const count = sizeOf(root.shape);
  const positions = await positionsOf(problem, read, term);
  const width = positions.length / count;
  const few = await compileRows(problem, read, { term, width, rows: FEW, isCritical: true });
  const programs = [few];
  const blocks: SiteBlock[] = [];
  for (const projected of await project(read, positions, count, problem.dim, slice)) {
    await slice();
    const { k } = projected;
    if (k > MOST_PROJECTIONS) {
      throw new OptionError(
        `ep: an element of ${name} sees the latent variables through more than ${MOST_PROJECTIONS} linear projections, and ` +
          `expectation propagation takes no more. Write it as terms of fewer unknowns each, or use another method.`,
      );
    }
    const moved = origin ? movedTo(projected, origin) : projected;
    const functions = {
      ...moved,
      term: name,
      logDensity: siteFunction(moved, programs, "density"),
      criticals: few.criticals,
      criticalAt: siteFunction(moved, [few], "critical"),
    };
    blocks.push({ ...functions, characters: k === 1 ? characterise(functions) : null });
  }
  // Integrals of all sites together want many rows at a time; closed forms want none.
  const isClosed = ({ k, characters }: SiteBlock): boolean =>
    k === 0 || (characters?.every(({ form }) => form && (form.kind === "step" || alpha === 1)) ?? false);
  if (count > 8 && !blocks.every(isClosed)) {
    programs.push(await compileRows(problem, read, { term, width, rows: MANY, isCritical: false }));
  }
  return blocks;
}

/** The same with projections of z − origin. */
function movedTo(projected: Projected, origin: Float64Array): Projected {
  const { count, k, directions, width, slopes } = projected;
  const dim = origin.length;
  const offsets = projected.offsets.slice();
  for (let site = 0; site < count; site++) {
    for (let j = 0; j < k; j++) {
      let along = 0;
      for (let i = 0; i < dim; i++) along += directions[(site * k + j) * dim + i]! * origin[i]!;
      for (let w = 0; w < width; w++) offsets[site * width + w]! += slopes[(site * width + w) * k + j]! * along;
    }
  }
  return { ...projected, offsets };
}

/** A function of t from one of what the elements read, in calls of the size that fits. */
function siteFunction(
  { k, width, slopes, offsets, elements }: Projected,
  programs: readonly RowProgram[],
  what: "density" | "critical",
): SiteFunction {
  const which = new Int32Array(MANY);
  let sites: Int32Array = which;
  let t: Float64Array = new Float64Array(0);
  let [first, count] = [0, 0];
  const fill = (values: Float64Array): void => {
    for (let r = 0, to = 0; r < count; r++) {
      const from = sites[first + r]! * width;
      for (let w = from; w < from + width; w++) {
        let value = offsets[w]!;
        for (let j = 0; j < k; j++) value += slopes[w * k + j]! * t[(first + r) * k + j]!;
        values[to++] = value;
      }
    }
  };
  return (asked, at, rows, into) => {
    [sites, t] = [asked, at];
    for (first = 0; first < rows; first += count) {
      const left = rows - first;
      const used = programs.find((p) => p.rows >= left) ?? programs.at(-1)!;
      count = Math.min(left, used.rows);
      for (let r = 0; r < count; r++) which[r] = elements[sites[first + r]!]!;
      used.run(what, which, count, fill, into, what === "density" ? first : first * used.criticals);
    }
  };
}
