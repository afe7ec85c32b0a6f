import type { Support } from "../../constraints/support.ts";
import { type Family, family } from "../../distributions/distribution.ts";
import type { Distribution } from "./distribution.ts";

/** A network's output as a family of the model language, so that sites can have it: with one parameter axis where it needs one. */
export function outputFamily<P extends string>(output: Distribution<P>, rank = 0): Family<P> {
  const { name, params, support, logProb, mean } = output;
  const specs = Object.fromEntries(params.map((p) => [p, { support: { kind: "real" }, rank }]));
  return family<P>({ name, params: specs as Family<P>["params"], support: () => support as Support, logProb, mean });
}
