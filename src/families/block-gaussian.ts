import { OptionError } from "../base/errors.ts";
import { concat } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { fullRank } from "./full-rank.ts";
import { meanField } from "./mean-field.ts";
import { part, type VariationalFamily } from "./variational-family.ts";

/** Coordinates `from` … `to − 1`. */
export type Block = readonly [from: number, to: number];

interface Piece {
  readonly family: VariationalFamily;
  /** First coordinate, and first place in the parameter vector. */
  readonly from: number;
  readonly offset: number;
}

function piecesOf(dim: number, blocks: readonly Block[]): Piece[] {
  const pieces: Piece[] = [];
  let [at, offset] = [0, 0];
  const append = (family: VariationalFamily) => {
    pieces.push({ family, from: at, offset });
    at += family.dim;
    offset += family.size;
  };
  for (const [from, to] of [...blocks].sort((a, b) => a[0] - b[0])) {
    if (!(Number.isInteger(from) && Number.isInteger(to) && at <= from && from < to && to <= dim))
      throw new OptionError(
        `block [${from}, ${to}) does not fit: blocks are ranges [from, to) of the ${dim} coordinates that do not overlap`,
      );
    if (from > at) append(meanField(from - at));
    append(fullRank(to - from));
  }
  if (at < dim) append(meanField(dim - at));
  return pieces;
}

/**
 * A Gaussian with full covariance within each block of coordinates and none between blocks; coordinates outside of all blocks are
 * independent. The parameters are those of the pieces, one after the other.
 *
 * @throws OptionError when blocks overlap or leave the coordinates
 */
export function blockGaussian(dim: number, { blocks }: { readonly blocks: readonly Block[] }): VariationalFamily {
  const pieces = piecesOf(dim, blocks);
  const own = (params: Tensor, { family, offset }: Piece) => part(params, offset, family.size);
  const columns = (x: Tensor, { family, from }: Piece) => x.narrow(1, from, family.dim);
  const total = (terms: readonly Tensor[]) => terms.reduce((sum, term) => sum.add(term));
  return {
    name: "block",
    dim,
    size: pieces.reduce((sum, { family }) => sum + family.size, 0),
    noiseSize: dim,
    strata: 1,
    closedUnder: "diagonal",
    learningRate: 0.1,
    initial: (mean, scale, seed) =>
      Float64Array.from(
        pieces.flatMap(({ family, from }) => {
          const to = from + family.dim;
          return [...family.initial(mean.subarray(from, to), scale.subarray(from, to), seed)];
        }),
      ),
    draw: (params, noise) => concat(pieces.map((p) => p.family.draw(own(params, p), columns(noise, p))), 1), // biome-ignore format: short
    logShares: null,
    logProb: (params, x) => total(pieces.map((p) => p.family.logProb(own(params, p), columns(x, p)))),
    drawWithLogProb: (params, noise) => {
      const drawn = pieces.map((p) => p.family.drawWithLogProb!(own(params, p), columns(noise, p)));
      return { x: concat(drawn.map(({ x }) => x), 1), logProb: total(drawn.map(({ logProb }) => logProb)) }; // biome-ignore format: short
    },
    entropy: (params) => total(pieces.map((p) => p.family.entropy!(own(params, p)))),
    moments: (params) => {
      const mean = new Float64Array(dim);
      const covariance = new Float64Array(dim * dim);
      for (const { family, from, offset } of pieces) {
        const found = family.moments!(params.subarray(offset, offset + family.size));
        mean.set(found.mean, from);
        for (let i = 0; i < family.dim; i++) {
          for (let j = 0; j < family.dim; j++)
            covariance[(from + i) * dim + from + j] = found.covariance[i * family.dim + j]!;
        }
      }
      return { mean, covariance };
    },
    mapped: (params, { location, factor, diagonal }) => {
      if (!diagonal) return null;
      const out = new Float64Array(params.length);
      for (const { family, from, offset } of pieces) {
        const [to, end] = [from + family.dim, offset + family.size];
        const own = { location: location.subarray(from, to), factor: factor.subarray(from, to), diagonal };
        out.set(family.mapped(params.subarray(offset, end), own)!, offset);
      }
      return out;
    },
  };
}
