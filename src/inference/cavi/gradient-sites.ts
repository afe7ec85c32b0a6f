import { OptionError } from "../../base/errors.ts";
import type { Shape } from "../../base/shape.ts";
import type { Bijector } from "../../constraints/bijection.ts";
import { bijectorTo } from "../../constraints/bijector.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { Coordinates } from "../problem.ts";

/** A latent site whose factor is found by gradients: a Gaussian on its unconstrained scale, or the one value of a parameter. */
export interface GradientSite {
  readonly name: string;
  readonly bijector: Bijector;
  /** Whether the constrained scale is the unconstrained one. */
  readonly identity: boolean;
  /** Unconstrained, plates first. */
  readonly shape: Shape;
  /** Of a parameter that is estimated, which has one value: its shape as the model has it. */
  readonly point: Shape | null;
}

export type GradientSites = ReadonlyMap<string, GradientSite>;

/** How terms outside every exponential family are expected. */
export interface Gradients {
  readonly sites: GradientSites;
  /** Draws of q on which a term is averaged that sees a site through more than one number at a time. */
  readonly draws: number;
}

export const DRAWS = 128;
export const NO_GRADIENTS: Gradients = { sites: new Map(), draws: DRAWS };

/** @throws OptionError where a name is no continuous latent site, or its support moves with other sites */
export function readGradients(coordinates: readonly Coordinates[], names: readonly string[], draws = DRAWS): Gradients {
  if (!(Number.isInteger(draws) && draws >= 2 && draws % 2 === 0))
    throw new OptionError(`gradientDraws is ${draws}: an even number of at least 2`);
  const sites = new Map<string, GradientSite>();
  for (const name of names) {
    const found = coordinates.find((c) => c.name === name);
    if (!found) {
      const known = coordinates.map((c) => `"${c.name}"`).join(", ");
      throw new OptionError(`gradient: "${name}" is no continuous latent site; those are ${known || "none"}`);
    }
    const { kind, support, unconstrainedShape, shape } = found;
    if (Object.values(support).some((bound) => bound instanceof Tensor)) {
      throw new OptionError(
        `gradient: the support of "${name}" depends on other sites, so that its factor has no fixed scale`,
      );
    }
    const bijector = bijectorTo(support);
    sites.set(name, {
      name,
      bijector,
      identity: support.kind === "real",
      shape: unconstrainedShape,
      point: kind === "param" ? shape : null,
    });
  }
  return { sites, draws };
}
