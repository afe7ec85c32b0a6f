import { OptionError } from "../base/errors.ts";

/** Every option of a function, so that the compiler asks for one that is added. */
export type OptionNames<O> = { readonly [K in keyof Required<O>]: true };

export const problemOptionNames = { runtime: true, deterministic: true, dtype: true } as const;

/** @throws OptionError naming an option that the function does not know, which would have no effect */
export function checkOptionNames<O extends object>(call: string, options: O, names: OptionNames<O>): void {
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(names, name));
  if (unknown !== undefined)
    throw new OptionError(`${call} has no option "${unknown}"; there are: ${Object.keys(names).join(", ")}`);
}
