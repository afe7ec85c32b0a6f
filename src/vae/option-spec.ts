import { OptionError } from "../base/errors.ts";

/**
 * How one option is written. A default of null is decided from the data or from other options; its text in option-help.ts then says how. A form is a
 * word with numbers after colons: `step:3:0.1` has the form `step:PARTS:FACTOR`.
 */
export type OptionSpec =
  | { readonly kind: "choice"; readonly choices: readonly string[]; readonly default: string | null }
  | { readonly kind: "form"; readonly forms: readonly string[]; readonly default: string }
  | { readonly kind: "integer"; readonly min: number; readonly default: number | null }
  | { readonly kind: "number"; readonly min: number; readonly below?: number; readonly default: number | null }
  | { readonly kind: "integers"; readonly min: number; readonly default: readonly number[] }
  | { readonly kind: "flag"; readonly default: boolean };

type FormValue<F> = F extends `${infer Head}:${string}:${string}`
  ? `${Head}:${number}:${number}`
  : F extends `${infer Head}:${string}`
    ? `${Head}:${number}`
    : F;

/** The type of an option's value, from its row. */
export type OptionValue<S> = S extends { kind: "choice"; choices: readonly (infer C)[] }
  ? C
  : S extends { kind: "form"; forms: readonly (infer F)[] }
    ? FormValue<F>
    : S extends { kind: "flag" }
      ? boolean
      : S extends { kind: "integers" }
        ? readonly number[]
        : number;

/** A form's word and its numbers. */
export function parseForm(value: string): { readonly word: string; readonly numbers: readonly number[] } {
  const [word = "", ...rest] = value.split(":");
  return { word, numbers: rest.map((text) => (text.trim() === "" ? Number.NaN : Number(text))) };
}

function fitsForm(value: string, forms: readonly string[]): boolean {
  const { word, numbers } = parseForm(value);
  return forms.some((form) => {
    const [head, ...places] = form.split(":");
    return head === word && places.length === numbers.length && numbers.every((x) => Number.isFinite(x) && x > 0);
  });
}

/** What an option takes, for messages and help: `one of tanh, relu`, `an integer of at least 1`. */
export function allowedText(spec: OptionSpec): string {
  switch (spec.kind) {
    case "choice":
      return `one of ${spec.choices.join(", ")}`;
    case "form":
      return `one of ${spec.forms.join(", ")}${spec.forms.some((f) => f.includes(":")) ? " (capitals stand for numbers)" : ""}`;
    case "integer":
      return `an integer of at least ${spec.min}`;
    case "number":
      return `a number ${spec.below === undefined ? `of at least ${spec.min}` : `from ${spec.min} to below ${spec.below}`}`;
    case "integers":
      return `integers of at least ${spec.min}, such as 500 or 200,200`;
    case "flag":
      return "true or false";
  }
}

function fits(spec: OptionSpec, value: unknown): boolean {
  const isInteger = (x: unknown, min: number) => Number.isSafeInteger(x) && (x as number) >= min;
  switch (spec.kind) {
    case "choice":
      return spec.choices.includes(value as string);
    case "form":
      return typeof value === "string" && fitsForm(value, spec.forms);
    case "integer":
      return isInteger(value, spec.min);
    case "number":
      return (
        typeof value === "number" && Number.isFinite(value) && value >= spec.min && value < (spec.below ?? Infinity)
      );
    case "integers":
      return Array.isArray(value) && value.every((x) => isInteger(x, spec.min));
    case "flag":
      return typeof value === "boolean";
  }
}

/** @throws OptionError naming the option, what it got and what it takes */
export function checkOption(name: string, spec: OptionSpec, value: unknown): void {
  if (fits(spec, value)) return;
  throw new OptionError(`option ${name} is ${JSON.stringify(value)}, but it takes ${allowedText(spec)}`);
}

/**
 * An option's value from the text of a command line: `200,200` is [200, 200], an empty text no layers at all.
 *
 * @throws OptionError as `checkOption`
 */
export function readOption(name: string, spec: OptionSpec, text: string): unknown {
  const number = (part: string) => (part.trim() === "" ? Number.NaN : Number(part));
  let value: unknown = text;
  if (spec.kind === "integer" || spec.kind === "number") value = number(text);
  else if (spec.kind === "integers") value = text.trim() === "" || text === "none" ? [] : text.split(",").map(number);
  else if (spec.kind === "flag") value = text === "true" ? true : text === "false" ? false : text;
  if (fits(spec, value)) return value;
  throw new OptionError(`option ${name} is "${text}", but it takes ${allowedText(spec)}`);
}
