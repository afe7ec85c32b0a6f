import { DIGAMMA_KERNELS } from "./digamma.ts";
import { ERF_KERNELS } from "./erf.ts";
import { ERFINV_KERNELS } from "./erfinv.ts";
import { LGAMMA_KERNELS } from "./lgamma.ts";
import { POW_KERNELS } from "./pow.ts";

/** Long functions that few programs use: loaded when the first one does, so that a page need not fetch them otherwise. */
export const SPECIAL_KERNELS = {
  ...POW_KERNELS,
  ...LGAMMA_KERNELS,
  ...DIGAMMA_KERNELS,
  ...ERF_KERNELS,
  ...ERFINV_KERNELS,
};
