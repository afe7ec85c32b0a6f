import { OptionError } from "../../base/errors.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { describe, type Words } from "../recording.ts";

/** The words for named functions of the others, and for terms of the log joint that are no distributions. */
export const termWords: Words = ({ b, claim, ofTrace, top }) => ({
  deterministic(name, value) {
    claim("deterministic", name);
    if (!(value instanceof Tensor))
      throw new OptionError(`deterministic("${name}") takes a tensor, not ${describe(value)}`);
    ofTrace(`deterministic("${name}")`, value);
    top().sites.push({ kind: "deterministic", name, plates: [], shape: value.shape, value });
    return value;
  },
  factor(name, logWeight) {
    claim("factor", name);
    if (!(logWeight instanceof Tensor) && !Number.isFinite(logWeight))
      throw new OptionError(`factor("${name}") takes a tensor or a number, not ${describe(logWeight)}`);
    const value =
      logWeight instanceof Tensor
        ? ofTrace(`factor("${name}")`, logWeight)
        : new Tensor(b, b.constant(logWeight, "f64", []));
    top().sites.push({
      kind: "factor",
      name,
      plates: [],
      shape: value.shape,
      value,
      logProb: value,
      scale: 1,
      copies: null,
    });
  },
});
