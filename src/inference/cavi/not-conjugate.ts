import { OptionError } from "../../base/errors.ts";

/** What a term does that has no expectation in closed form; the site's name and the ways out are added where it is known. */
export class NotConjugate extends Error {}

const WAYS =
  'Ways out: a bound or an augmentation (bernoulli({ logits }) under logistic: "jaakkola-jordan", a probit as ' +
  "bernoulli(Φ(x)) with Φ written by erf), precisions under a gamma prior in place of standard deviations, or a method of " +
  'gradients for this model (method: "fullrank", "nuts").';

/** Runs what belongs to a site; what is not conjugate there becomes an error that says where. */
export function conjugateAt<T>(site: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof NotConjugate)) throw error;
    throw new OptionError(`"${site}" has no closed-form update: ${error.message}. ${WAYS}`);
  }
}
