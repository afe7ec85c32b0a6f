import { OptionError } from "../../base/errors.ts";

/** What a term does that has no expectation in closed form; the site's name and the ways out are added where it is known. */
export class NotConjugate extends Error {
  /** That a term jumps where a continuous site passes some value: then gradients by that site are 0, and no way out. */
  readonly jumps: boolean;

  constructor(message: string, jumps = false) {
    super(message);
    this.jumps = jumps;
  }
}

const WAYS =
  'Ways out: a bound or an augmentation (bernoulli({ logits }) under logistic: "jaakkola-jordan", a probit as ' +
  "bernoulli(Φ(x)) with Φ written by erf), precisions under a gamma prior in place of standard deviations, ";

/** Reads an argument of a distribution; what is not conjugate in it says which. */
export function inArgument<T>(name: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof NotConjugate) throw new NotConjugate(`in its ${name}, ${error.message}`, error.jumps);
    throw error;
  }
}

/** The same quantity in distributions that have factors, by the name of one that has none. */
const INSTEAD: Readonly<Record<string, string>> = {
  studentT: "a normal whose precision is mixed: sample l from gamma(df / 2, df / 2) for each element, and normal(location, scale · l ** −½)", // biome-ignore format: one line
  cauchy: "a normal whose precision is mixed: sample l from gamma(½, ½) for each element, and normal(location, scale · l ** −½)", // biome-ignore format: one line
  negativeBinomial: "a poisson whose rate has a gamma prior for each element",
  "truncated poisson": "under cavi, poisson itself: as many of its values as count are found by themselves",
  "zeroInflated poisson": "sample on from bernoulli(1 − zero) for each element, and poisson(rate · on)",
  betaBinomial: "a binomial whose probability has a beta prior for each element",
  mixture: "a categorical site for each element, and the components' parameters looked up by it",
  halfCauchy: "for a scale: a precision tau with a gamma prior, and tau.pow(-0.5) as the sd",
  halfNormal: "for a scale: a precision tau with a gamma prior, and tau.pow(-0.5) as the sd",
  halfStudentT: "for a scale: a precision tau with a gamma prior, and tau.pow(-0.5) as the sd",
  logNormal: "for a scale: a precision tau with a gamma prior, and tau.pow(-0.5) as the sd; for data: a normal of their logarithms", // biome-ignore format: one line
  chiSquared: "gamma(df / 2, 1 / 2)",
  uniform: "on (0, 1): beta(1, 1); elsewhere a normal or gamma that is as wide",
};

/** " Instead: …" where there is something to say. */
export const insteadOf = (family: string | undefined): string => {
  const other = family !== undefined && Object.hasOwn(INSTEAD, family) ? INSTEAD[family] : null;
  return other ? ` Instead: ${other}.` : "";
};

/**
 * Runs what belongs to a site; what is not conjugate there becomes an error that says where.
 *
 * @param family      of the site; null where it has none
 * @param continuous  the latent sites in it that could be given to gradients
 */
export function conjugateAt<T>(site: string, family: string | null, continuous: readonly string[], run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof NotConjugate)) throw error;
    const named = continuous.filter((name) => error.message.includes(`"${name}"`));
    const as = family ? ` as a ${family}` : "";
    const byGradients = `${gradientWay(named.length ? named : continuous)}a method of gradients for the whole model (method: "fullrank", "nuts"), `;
    throw new OptionError(
      `"${site}" has no closed-form update${as}: ${error.message}.${insteadOf(family ?? undefined)} ${WAYS}${error.jumps ? "" : byGradients}` +
        'or, where each term sees few unknowns, expectation propagation (method: "ep").',
    );
  }
}

/** The option that gives some sites to gradients. */
export const gradientWay = (names: readonly string[]): string =>
  names.length
    ? `these sites to gradients and the rest in closed form (gradient: [${names.map((n) => `"${n}"`).join(", ")}]), `
    : "";
