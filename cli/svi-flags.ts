import { type Command, InvalidArgumentError, Option } from "commander";
import type { InferOptions } from "../src/index.ts";
import { wholeNumber } from "./data-source.ts";
import { flagOf } from "./vae-flags.ts";

type SviFlags = Omit<NonNullable<InferOptions["svi"]>, "logistic" | "groups">;

interface Flag {
  readonly value: string;
  readonly help: string;
  readonly parse: (text: string) => unknown;
}

/** What a number must be is the library's to say. */
function number(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value)) throw new InvalidArgumentError("Expected a number.");
  return value;
}

/** A flag for each option of stochastic variational inference; the compiler asks for what is missing. */
const flags: Readonly<Record<keyof SviFlags, Flag>> = {
  plate: {
    value: "name",
    help: "the plate whose elements are drawn (default: found from the model)",
    parse: (text) => text,
  },
  batch: {
    value: "n",
    help: "its elements in a step (default: a 32nd of it, within 32 and 1024)",
    parse: wholeNumber(1),
  },
  restarts: {
    value: "n",
    help: "starts, each tried for 60 steps, of which the best goes on (default: 4)",
    parse: wholeNumber(1),
  },
  delay: {
    value: "d",
    help: "step t moves by (t + d)^-f of the way (default: 1)",
    parse: number,
  },
  forgetting: { value: "f", help: "above 0.5 and at most 1 (default: 0.7)", parse: number },
  localSweeps: { value: "n", help: "sweeps over the factors of a batch at most (default: 50)", parse: wholeNumber(1) },
  localTolerance: {
    value: "x",
    help: "relative change of their bound at which these end (default: 1e-5)",
    parse: number,
  },
  maxEpochs: { value: "n", help: "passes over the data at most (default: 100)", parse: wholeNumber(1) },
  tolerance: {
    value: "x",
    help: "relative change of the bound in an epoch at which it ends (default: 1e-5)",
    parse: number,
  },
};

const names = Object.keys(flags) as (keyof SviFlags)[];

export function addSviFlags(command: Command): void {
  for (const name of names) {
    const { value, help, parse } = flags[name];
    command.addOption(new Option(`${flagOf(name)} <${value}>`, help).argParser(parse).helpGroup("Of --method svi:"));
  }
}

/** The options of svi that the command line gave; undefined where it gave none. */
export function chosenSviOptions(values: Readonly<Record<string, unknown>>): InferOptions["svi"] {
  const given = names.flatMap((name) => (values[name] === undefined ? [] : [[name, values[name]]]));
  return given.length ? (Object.fromEntries(given) as InferOptions["svi"]) : undefined;
}
