import { NonFiniteError, SupportError } from "../base/errors.ts";
import type { Support } from "../constraints/support.ts";
import { reachable } from "../ir/graph.ts";
import { isLatent } from "../model/site.ts";
import { termsOf } from "../model/terms.ts";
import { Tensor } from "../tensor/tensor.ts";
import { indexText, listed } from "./index-text.ts";
import type { Problem } from "./problem.ts";
import { compileReporter } from "./reported.ts";

/** How a support is told to people; `named` has words for an end that is another quantity. */
export function supportText(support: Support, named: (end: Tensor) => string | null = () => null): string {
  const end = (x: unknown) => (x instanceof Tensor ? (named(x) ?? "another quantity") : String(x));
  switch (support.kind) {
    case "binary":
      return "0 or 1";
    case "unitInterval":
      return "numbers from 0 to 1";
    case "real":
      return "real numbers";
    case "categories":
      return `whole numbers from 0 to ${support.count - 1}`;
    case "positive":
      return "numbers above 0";
    case "interval":
      return `numbers between ${end(support.low)} and ${end(support.high)}`;
    case "above":
      return `numbers above ${end(support.low)}`;
    case "below":
      return `numbers below ${end(support.high)}`;
    case "circle":
      return "angles from −π to π";
    case "counts":
      return support.high === null
        ? `whole numbers from ${support.low} on`
        : `whole numbers from ${support.low} to ${end(support.high)}`;
    case "countVector":
      return `vectors of counts with the sum ${end(support.total)}`;
    case "simplex":
      return "vectors of positive numbers with the sum 1";
    case "ordered":
      return "vectors whose elements increase";
    case "positiveOrdered":
      return "vectors of positive elements that increase";
    case "cholesky":
      return "lower triangular matrices with a positive diagonal";
    case "correlationCholesky":
      return "Cholesky factors of correlation matrices";
    case "positiveDefinite":
      return "symmetric positive definite matrices";
  }
}

/** Whether a parameter is this tensor, as it is or repeated over the batch. */
function isSpread({ node }: Tensor, end: Tensor): boolean {
  let from = node;
  while (from !== end.node && (from.op === "broadcast" || from.op === "reshape")) from = from.inputs[0]!;
  return from === end.node;
}

/**
 * Why the log density is not finite at a point: the first term that is not, its site, the element and its value.
 *
 * @returns a SupportError for data outside a distribution's support, else a NonFiniteError
 */
export async function explainNonFinite(problem: Problem, unconstrained: ArrayLike<number>): Promise<Error> {
  const reporter = await compileReporter(problem, ({ model, assignment, values }) => {
    const tensors: Record<string, Tensor> = {};
    for (const term of termsOf(model)) {
      const at = model.sites.findIndex((s) => s.name === term.sites[0]);
      const site = model.sites[at]!;
      tensors[`term ${at}`] = assignment.of([term.logProb])[0]!;
      const value = isLatent(site) ? values[site.name] : assignment.of([site.value])[0];
      if (value) tensors[`value ${at}`] = value;
      if (site.kind === "factor" || site.kind === "deterministic") continue;
      for (const [name, value] of Object.entries(site.params)) tensors[`param ${at} ${name}`] = assignment.of([value])[0]!; // biome-ignore format: one line
    }
    return tensors;
  });
  const found = reporter.at(unconstrained);
  for (const [i, site] of problem.layout.sites.entries()) {
    const logProbs = found[`term ${i}`];
    const bad = logProbs?.findIndex((x) => !Number.isFinite(x)) ?? -1;
    if (!logProbs || bad < 0 || site.kind === "deterministic") continue;
    const shape = reporter.shapes[`term ${i}`]!;
    const where = shape.length ? `[${indexText(bad, shape)}]` : "";
    if (site.kind === "factor") return new NonFiniteError(`factor("${site.name}")${where} is ${logProbs[bad]}`);
    const values = found[`value ${i}`] ?? new Float64Array();
    const rank = site.family?.eventRank ?? 0;
    const event = values.length / logProbs.length;
    const shown = rank && event > 1 ? listed(values, bad, event) : String(Number(values[bad]?.toPrecision(10)));
    const params = Object.keys(site.params).map((name) => {
      const all = found[`param ${i} ${name}`]!;
      const own = all.length / logProbs.length;
      const ofEvents = (site.family?.params[name]?.rank ?? 0) > 0 && Number.isInteger(own);
      return `${name} ${ofEvents ? listed(all, bad, own) : Number(all[Math.min(bad, all.length - 1)]!.toPrecision(6))}`;
    });
    const call = `${site.kind}("${site.name}")`;
    const family = site.family!.name;
    const ofParam = (name: string) => {
      const all = found[`param ${i} ${name}`]!;
      return Number(all[Math.min(bad, all.length - 1)]!.toPrecision(6));
    };
    if (site.kind === "observe" && logProbs[bad] === -Infinity) {
      const paramOf = (end: Tensor) => Object.keys(site.params).find((name) => isSpread(site.params[name]!, end));
      const isBit = values[bad] === 0 || values[bad] === 1;
      const isEnd = site.support.kind === "unitInterval" && isBit;
      const takes = supportText(site.support, (end) => {
        const name = paramOf(end);
        return name === undefined ? null : String(ofParam(name));
      });
      const latent = new Set(problem.layout.sites.filter(isLatent).map((s) => s.value.node));
      const isDecided = (x: unknown) => x instanceof Tensor && reachable([x.node]).some((n) => latent.has(n));
      const decided = Object.keys(site.params).find((name) => isDecided(site.params[name]));
      const advice = Object.values(site.support).some(isDecided)
        ? "An end of its support is a latent quantity: limit that one, as by truncated(…, { low: y.max() }), so that all data lie inside."
        : decided !== undefined && site.support.kind === "binary" && isBit
          ? `Latent quantities decide its ${decided}: let none of their values exclude what was observed, as a step by where(x.gt(0), 1, 0) does. Give the probability of the event in its place, or fit by expectation propagation (method: "ep").` // biome-ignore format: a message
          : "Correct the data, or choose a distribution that has them in its support.";
      return new SupportError(
        `${call}: element ${where || "(a single number)"} is ${shown}, which a ${family} (${params.join(", ")}) gives probability zero. It takes ` +
          `${takes}${isEnd ? ", without the ends" : ""}. ${advice}`,
      );
    }
    if (site.kind === "observe" && values.length && !Number.isFinite(values[bad])) {
      return new SupportError(
        `${call}: element ${where || "(a single number)"} is ${values[bad]}. Data must be finite numbers: leave out or impute what is missing` +
          `${Number.isNaN(values[bad]) ? ', or fit by coordinate ascent (method: "cavi"), for which it counts for nothing' : ""}.`,
      );
    }
    const outside = Object.entries(site.family!.params).find(([name, { support, rank }]) => rank === 0 && support.kind === "positive" && ofParam(name) <= 0); // biome-ignore format: one line
    const advice = outside
      ? `. Its ${outside[0]} must be above 0: correct the data or the formula that it comes from`
      : "";
    return new NonFiniteError(
      `the log density of ${call}${where} is ${logProbs[bad]} at the value ${shown}, where its ${family} has ${params.join(", ")}${advice}`,
    );
  }
  const at = problem.names.slice(0, 8).map((n, i) => `${n} = ${Number(unconstrained[i]!.toPrecision(4))}`).join(", "); // biome-ignore format: one line
  return new NonFiniteError(`the log density or its gradient is not finite at ${at}, though each of its terms is`);
}
