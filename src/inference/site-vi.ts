import { OptionError } from "../base/errors.ts";
import { elbo } from "../objectives/elbo.ts";
import type { VariationalObjective } from "../objectives/variational-objective.ts";
import { f64, program } from "../program/program.ts";
import { type FittedSite, hostGaussian } from "./approximation.ts";
import { compileTarget } from "./compiled-target.ts";
import { fixedDraws } from "./fixed-draws.ts";
import type { Problem } from "./problem.ts";
import { chooseSites, type SiteFamilies } from "./site-choice.ts";
import { moved, type SiteProduct, siteFamily, siteProduct } from "./site-family.ts";
import { siteStart } from "./site-start.ts";
import { type StochasticViFit, type StochasticViOptions, stochasticVi } from "./stochastic-vi.ts";

/** What `siteVi` returns: q with its fitted parameters, site by site. */
export interface SiteViFit extends StochasticViFit {
  readonly sites: Readonly<Record<string, FittedSite>>;
  /** Where q provably leaves out mass of the model, in words. */
  readonly warnings: readonly string[];
}

/** Options of `siteVi`: those of `stochasticVi`, and a family for each site. */
export interface SiteViOptions extends Omit<StochasticViOptions, "family" | "start"> {
  readonly q: SiteFamilies;
}

/**
 * Gradient variational inference with a family of the user's choice for each latent site, a product over sites and their elements.
 * Sites that q does not name get Gaussians on their unconstrained scale. The bound is that of the model's own space: the maps onto
 * the supports cancel in log q − log p.
 *
 * Gradients go through the draws, explicitly or implicitly; where one of the families has neither, all by the score function with
 * leave-one-out baselines.
 *
 * @throws OptionError, ShapeError  when q does not fit the model
 * @throws SupportError             when q has mass where the model has none
 */
export async function siteVi(problem: Problem, options: SiteViOptions): Promise<SiteViFit> {
  const { q, ...stochastic } = options;
  const { seed = 0, signal } = stochastic;
  const { choices, warnings } = chooseSites(problem, q);
  const product = siteProduct(problem, choices);
  if (product.rawSize === 0) {
    const named = choices.map((c) => `${c.family.name} of "${c.site.name}"`).join(" and ");
    throw new OptionError(`q has no parameter to fit: the ${named} keeps the values given`);
  }
  const estimator = estimatorFor(product, stochastic);
  const compiled = options.compiled ?? (await compileTarget(problem));
  const gaussian = await fixedDraws(problem, { compiled, seed, signal });
  const { dim } = problem;
  const usable = gaussian.sd.every((s) => s > 0 && Number.isFinite(s)) && gaussian.mean.every(Number.isFinite);
  const near = usable ? gaussian : hostGaussian(new Float64Array(dim), new Float64Array(dim).fill(1));
  const scaling = await siteStart(problem, product, near, seed);
  const fit = await stochasticVi(problem, {
    ...stochastic,
    draws: stochastic.draws ?? (product.reparameterised ? 10 : 64),
    estimator,
    compiled,
    family: siteFamily(product, scaling),
    start: { mean: new Float64Array(dim), scale: new Float64Array(dim).fill(1) },
  } as StochasticViOptions);
  const raw = moved(product, scaling, fit.params);
  return { ...fit, sites: await fittedSites(problem, product, raw), warnings };
}

/** What the user asked for; else through the draws, held at the noise of the bound alone, or by the score where that cannot be. */
function estimatorFor(
  product: SiteProduct,
  { estimator, objective }: Omit<SiteViOptions, "q">,
): SiteViOptions["estimator"] {
  if (product.reparameterised) {
    const { estimators }: Pick<VariationalObjective, "estimators"> = objective ?? elbo();
    return estimator ?? estimators.find((e) => e === "pathDerivative");
  }
  if (estimator === undefined || estimator === "score") return "score";
  const stuck = product.sites.filter((s) => !s.reparameterised).map((s) => `${s.family} of "${s.name}"`);
  throw new OptionError(
    `draws of ${stuck.join(" and ")} are no smooth function of the parameters, which the estimator "${estimator}" needs: use "score"`,
  );
}

async function fittedSites(problem: Problem, product: SiteProduct, raw: Float64Array): Promise<SiteViFit["sites"]> {
  const { runtime, deterministic } = problem;
  const made = await program({
    runtime,
    deterministic,
    inputs: { raw: f64([product.rawSize]) },
    body: ({ inputs: { raw } }) => ({
      outputs: Object.fromEntries(product.sites.flatMap((s, i) =>
        Object.entries(s.params(raw.narrow(0, s.from, s.elements * s.width))).map(([name, t]) => [`${i} ${name}`, t]))), // biome-ignore format: one record
    }),
  });
  made.call({ raw });
  const found = Object.entries(made.outputs as Record<string, { shape: readonly number[]; read(): ArrayLike<number> }>);
  return Object.fromEntries(
    product.sites.map(({ name, family }, i) => {
      const own = found.filter(([key]) => key.startsWith(`${i} `));
      const params = own.map(([key, b]) => [key.slice(`${i} `.length), { shape: b.shape, values: Float64Array.from(b.read()) }]); // biome-ignore format: one line
      return [name, { family, params: Object.fromEntries(params) }];
    }),
  );
}
