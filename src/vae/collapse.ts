import { type Dataset, firstRows } from "../data/dataset.ts";
import { ACTIVE_VARIANCE, columnVariances } from "../diagnostics/active-units.ts";
import type { VaeEvent } from "./events.ts";
import type { RunningFit } from "./fit.ts";

/** Posterior means of this many rows decide which latent dimensions are used. */
const COLLAPSE_ROWS = 2000;

/** Tells of latent dimensions that q does not use. */
export async function warnOfCollapse(
  fit: RunningFit,
  data: Dataset,
  emit: (event: VaeEvent) => Promise<void>,
): Promise<void> {
  const { vae } = fit;
  const { latent } = vae.config;
  const { mean } = await vae.encode(firstRows(data, COLLAPSE_ROWS));
  const variances = columnVariances(mean.values, latent);
  const dimensions = variances.flatMap((v, i) => (v < ACTIVE_VARIANCE ? [i] : []));
  if (dimensions.length === 0) return;
  const message =
    `${dimensions.length} of ${latent} latent dimensions collapsed to the prior: their posterior means vary by less than ` +
    `${ACTIVE_VARIANCE} over the data. ` +
    (dimensions.length === latent
      ? "The decoder ignores the code: try a smaller learning rate, another init or a weaker decoder."
      : "They do no harm; a smaller latent would do as well.");
  await emit({ kind: "collapsed", step: fit.progress.step, epoch: fit.epoch, dimensions, latent, variances, message });
}
