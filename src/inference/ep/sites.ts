import { OptionError } from "../../base/errors.ts";
import { sizeOf } from "../../base/shape.ts";
import type { Problem } from "../problem.ts";
import { MOST_PROJECTIONS, type Projected, project } from "./projections.ts";
import { type Read, readAffine } from "./read-affine.ts";
import { compileRows, positionsOf, type RowProgram } from "./site-program.ts";

/** Fills `into` at the rows of `t` [rows, k]; row r is of site `sites[r]` of the block. */
export type SiteFunction = (sites: Int32Array, t: Float64Array, rows: number, into: Float64Array) => void;

/** Sites of one term that see z through equally many projections, t = directions · z. */
export interface SiteBlock extends Projected {
  readonly term: string;
  /** The site's log density at t. */
  readonly logDensity: SiteFunction;
  /** Expressions, affine in t, at whose zeros the density may jump or bend, [rows, criticals]. */
  readonly criticals: number;
  readonly criticalAt: SiteFunction;
}

/** Rows of the small program, for one site at a time, and of the large one. */
const FEW = 64;
const MANY = 2048;

/** All sites of a problem: every element of every term that is not quadratic in z. */
export async function sitesOf(problem: Problem, read?: Read): Promise<SiteBlock[]> {
  const known = read ?? (await readAffine(problem));
  const blocks = await Promise.all(known.divided.sites.map((_, term) => blocksOf(problem, known, term)));
  return blocks.flat();
}

async function blocksOf(problem: Problem, read: Read, term: number): Promise<SiteBlock[]> {
  const { name, root } = read.divided.sites[term]!;
  const count = sizeOf(root.shape);
  const positions = await positionsOf(problem, read, term);
  const width = positions.length / count;
  const compile = (rows: number, what: "density" | "critical") =>
    compileRows(problem, read, { term, width, rows, what });
  const [few, many, critical] = await Promise.all([
    compile(FEW, "density"),
    count > 8 ? compile(MANY, "density") : null,
    compile(FEW, "critical"),
  ]);
  return project(read, positions, count, problem.dim).map((projected) => {
    const { k } = projected;
    if (k > MOST_PROJECTIONS) {
      throw new OptionError(
        `ep: an element of ${name} sees the latent variables through more than ${MOST_PROJECTIONS} linear projections, and ` +
          `expectation propagation takes no more. Write it as terms of fewer unknowns each, or use another method.`,
      );
    }
    return {
      ...projected,
      term: name,
      logDensity: siteFunction(projected, many ? [few!, many] : [few!]),
      criticals: critical?.size ?? 0,
      criticalAt: critical ? siteFunction(projected, [critical]) : () => {},
    };
  });
}

/** A function of t from one of what the elements read, in calls of the size that fits. */
function siteFunction(
  { k, width, slopes, offsets, elements }: Projected,
  programs: readonly RowProgram[],
): SiteFunction {
  const most = programs.at(-1)!.rows;
  const which = new Int32Array(most);
  return (sites, t, rows, into) => {
    for (let first = 0; first < rows; ) {
      const left = rows - first;
      const used = programs.find((p) => p.rows >= left) ?? programs.at(-1)!;
      const count = Math.min(left, used.rows);
      for (let r = 0; r < count; r++) which[r] = elements[sites[first + r]!]!;
      const fill = (values: Float64Array): void => {
        for (let r = 0; r < count; r++) {
          const site = sites[first + r]!;
          for (let w = 0; w < width; w++) {
            const from = site * width + w;
            let value = offsets[from]!;
            for (let j = 0; j < k; j++) value += slopes[from * k + j]! * t[(first + r) * k + j]!;
            values[r * width + w] = value;
          }
        }
      };
      used.run(which, count, fill, into, first * used.size);
      first += count;
    }
  };
}
