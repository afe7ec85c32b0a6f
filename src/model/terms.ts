import { OptionError } from "../base/errors.ts";
import { isDiscrete } from "../constraints/support.ts";
import type { Node } from "../ir/node.ts";
import { Tensor } from "../tensor/tensor.ts";
import { type Copies, isLatent, type Plate, type Site, type TracedModel } from "./site.ts";
import { substitute } from "./substitute.ts";

/** One addend of the log joint: a tensor whose leading axes are its plates. */
export interface Term {
  /** The sites it comes from: one, or all that a sum over discrete states has joined. */
  readonly sites: readonly string[];
  readonly kind: Site["kind"];
  readonly plates: readonly Plate[];
  /** Shape [...plates, ...batch]. */
  readonly logProb: Tensor;
  readonly scale: number;
  readonly copies: Copies;
}

/** The addends of the log joint as the text has them. @throws OptionError where one density cannot stand for its copies */
export function termsOf(model: TracedModel): Term[] {
  return model.sites.flatMap((site): Term[] => {
    if (site.kind === "deterministic" || site.logProb === null) return [];
    const { kind, plates, logProb, scale, copies } = site;
    if (copies && isLatent(site) && !isDiscrete(site.support)) {
      throw new OptionError(
        `${kind}("${site.name}") is continuous and stands in plate("${plates[0]!.name}") with copies, each of which has a value of its ` +
          'own: write them as elements, sum it out by hand, or fit the model by coordinate ascent (method: "cavi", "svi")',
      );
    }
    return [{ sites: [site.name], kind, plates, logProb, scale, copies }];
  });
}

/** Values for the placeholders of a traced model. */
export class Assignment {
  private readonly replaced = new Map<Node, Node>();
  private readonly model: TracedModel;

  constructor(model: TracedModel) {
    this.model = model;
  }

  set(site: { readonly value: Tensor }, value: Tensor): void {
    this.replaced.set(site.value.node, value.node);
  }

  /** The states before each step of the chains, from the sites that have values by now. */
  closeChains(): void {
    for (const { previous, shifted } of this.model.chains) {
      if (!this.replaced.has(previous.node)) this.replaced.set(previous.node, this.of([shifted])[0]!.node);
    }
  }

  /** Tensors of the traced model at these values. */
  of(tensors: readonly Tensor[]): Tensor[] {
    if (!tensors.length) return [];
    const { trace } = tensors[0]!;
    return substitute(trace, tensors.map((t) => t.node), this.replaced).map((n) => new Tensor(trace, n)); // biome-ignore format: short
  }
}

export const latentSites = (model: TracedModel) => model.sites.filter(isLatent);

/** Log densities of elements, each as often as it counts. */
export const counted = (logProb: Tensor, copies: Copies): Tensor =>
  copies
    ? logProb.mul(copies.reshape([...copies.shape, ...logProb.shape.slice(copies.shape.length).map(() => 1)]))
    : logProb;

/** log p(x, z): the sum of all terms, with what subsampling leaves out. */
export function sumTerms(terms: readonly Term[], like: Tensor): Tensor {
  let total: Tensor | null = null;
  for (const { logProb, scale, copies } of terms) {
    const sum = copies ? counted(logProb.cast("f64"), copies).sum() : logProb.sum().cast("f64");
    const scaled = scale === 1 ? sum : sum.mul(scale);
    total = total ? total.add(scaled) : scaled;
  }
  return total ?? like.mul(0).sum().cast("f64");
}
