import { OptionError } from "../base/errors.ts";
import { type InferOptions, type Method, methods } from "./fit.ts";

type Check = (value: unknown) => string | null;

const whole =
  (least: number): Check =>
  (x) =>
    Number.isSafeInteger(x) && (x as number) >= least ? null : `a whole number, ${least} or more`;
const anything: Check = () => null;

/** What each option must be; null where it is. */
const checks: Readonly<Record<keyof InferOptions, Check>> = {
  method: anything,
  seed: whole(0),
  draws: whole(1),
  chains: whole(1),
  warmUp: whole(0),
  targetAcceptance: (x) => (typeof x === "number" && x > 0 && x < 1 ? null : "a number between 0 and 1"),
  stochastic: anything,
  q: anything,
  cavi: anything,
  svi: anything,
  sgld: anything,
  signal: (x) => (x instanceof AbortSignal ? null : "an AbortSignal"),
  onEvent: (x) => (typeof x === "function" ? null : "a function"),
  runtime: anything,
  deterministic: (x) => (typeof x === "boolean" ? null : "true or false"),
  dtype: anything,
};

/** Options of some methods alone. */
const onlyFor: Readonly<Record<string, readonly Method[]>> = {
  chains: ["auto", "nuts", "hmc", "sgld"],
  warmUp: ["auto", "nuts", "hmc"],
  targetAcceptance: ["auto", "nuts", "hmc"],
};

/** @throws OptionError naming an option that `infer` does not know, or whose value it cannot use */
export function checkInferOptions(options: InferOptions): void {
  const { method = "auto" } = options;
  if (!methods.includes(method)) {
    throw new OptionError(`there is no method "${method}"; there are: ${methods.join(", ")}`);
  }
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(checks, name)) {
      throw new OptionError(`infer has no option "${name}"; there are: ${Object.keys(checks).join(", ")}`);
    }
    if (value === undefined) continue;
    const takers = onlyFor[name];
    if (takers && !takers.includes(method)) {
      throw new OptionError(
        `infer: ${name} is for ${takers.join(", ")}; the method is "${method}", which makes no chains`,
      );
    }
    const wanted = checks[name as keyof InferOptions](value);
    if (wanted) throw new OptionError(`infer: ${name} is ${typeof value === "string" ? `"${value}"` : String(value)}, but it must be ${wanted}`); // biome-ignore format: one line
  }
}
