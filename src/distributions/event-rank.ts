import type { Support, SupportKind } from "../constraints/support.ts";

const RANKS: Partial<Readonly<Record<SupportKind, 1 | 2>>> = {
  countVector: 1,
  simplex: 1,
  ordered: 1,
  positiveOrdered: 1,
  cholesky: 2,
  correlationCholesky: 2,
  positiveDefinite: 2,
};

/** Axes of one element of a support: 0 for numbers, 1 for vectors, 2 for matrices. */
export const eventRankOf = ({ kind }: Support): 0 | 1 | 2 => RANKS[kind] ?? 0;
