import { type Command, Option } from "commander";
import {
  OptionError,
  type OptionSpec,
  readOption,
  type VaeOptionName,
  type VaeOptions,
  vaeOptionHelp,
  vaeOptions,
} from "../src/node.ts";

/** Headings of the help, and what stands under them. What is named nowhere goes under the first. */
const groups: Readonly<Record<string, readonly VaeOptionName[]>> = {
  "Training:": ["epochs", "batch", "dropLast", "seed", "deterministic", "dtype"],
  "Model:": [
    "likelihood",
    "binarize",
    "categories",
    "standardize",
    "latent",
    "prior",
    "posterior",
    "estimator",
    "draws",
    "map",
  ],
  "Networks:": ["encoder", "decoder", "activation", "init"],
  "Optimizer:": [
    "optimizer",
    "lr",
    "schedule",
    "warmup",
    "clip",
    "beta1",
    "beta2",
    "epsilon",
    "momentum",
    "weightDecay",
  ],
};

const rows = Object.entries(vaeOptions) as [VaeOptionName, OptionSpec][];

const placeholders = {
  choice: "name",
  form: "form",
  integer: "n",
  number: "number",
  integers: "widths",
} as const;

/** The library's name of an option as a flag: weightDecay is --weight-decay. */
export const flagOf = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** Adds a flag for every option of a fit. What is not given stays undefined, so that the library decides its default. */
export function addVaeFlags(command: Command): void {
  const known = new Set(Object.values(groups).flat());
  const [first] = Object.keys(groups);
  for (const [heading, names] of Object.entries(groups)) {
    const rest = heading === first ? rows.filter(([name]) => !known.has(name)).map(([name]) => name) : [];
    for (const name of [...names, ...rest]) command.addOption(optionOf(name, vaeOptions[name]).helpGroup(heading));
  }
}

/** The options of a fit that the command line gave. */
export function chosenVaeOptions(command: Command): VaeOptions {
  const given = rows.flatMap(([name]) => {
    const value: unknown = command.getOptionValue(name);
    return value === undefined ? [] : [[name, value]];
  });
  return Object.fromEntries(given) as VaeOptions;
}

function optionOf(name: VaeOptionName, spec: OptionSpec): Option {
  const flag = flagOf(name);
  if (spec.kind === "flag") return new Option(flag, vaeOptionHelp[name]);
  return new Option(`${flag} <${placeholders[spec.kind]}>`, helpOf(vaeOptionHelp[name], spec)).argParser((text) =>
    read(flag, spec, text),
  );
}

function read(flag: string, spec: OptionSpec, text: string): unknown {
  try {
    return readOption(flag, spec, text);
  } catch (error) {
    // On a command line the dashes say that it is an option.
    if (error instanceof OptionError) throw new OptionError(error.message.replace(/^option /, ""));
    throw error;
  }
}

function helpOf(help: string, spec: OptionSpec): string {
  const values = spec.kind === "choice" ? spec.choices : spec.kind === "form" ? spec.forms : [];
  const list = values.length > 0 ? `; one of ${values.join(", ")}` : "";
  if (spec.default === null) {
    // The text says in parentheses how the default is decided; the values stand before that.
    const at = help.lastIndexOf(" (default");
    return at < 0 ? help + list : `${help.slice(0, at)}${list}${help.slice(at)}`;
  }
  return `${help}${list} (default: ${String(spec.default)})`;
}
