import { OptionError } from "../../base/errors.ts";

/** What a term does that has no expectation in closed form; the site's name and the ways out are added where it is known. */
export class NotConjugate extends Error {}

const WAYS =
  'Ways out: a bound or an augmentation (bernoulli({ logits }) under logistic: "jaakkola-jordan", a probit as ' +
  "bernoulli(Φ(x)) with Φ written by erf), precisions under a gamma prior in place of standard deviations, ";

/**
 * Runs what belongs to a site; what is not conjugate there becomes an error that says where.
 *
 * @param continuous  the latent sites in it that could be given to gradients
 */
export function conjugateAt<T>(site: string, continuous: readonly string[], run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof NotConjugate)) throw error;
    const named = continuous.filter((name) => error.message.includes(`"${name}"`));
    throw new OptionError(
      `"${site}" has no closed-form update: ${error.message}. ${WAYS}${gradientWay(named.length ? named : continuous)}a method of ` +
        'gradients for the whole model (method: "fullrank", "nuts"), or expectation propagation (method: "ep").',
    );
  }
}

/** The option that gives some sites to gradients. */
export const gradientWay = (names: readonly string[]): string =>
  names.length
    ? `these sites to gradients and the rest in closed form (gradient: [${names.map((n) => `"${n}"`).join(", ")}]), `
    : "";
