import { readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { AnsatzError, DataError, type Model, OptionError } from "../src/index.ts";

const advice = "Write: export default model(({ sample, observe }, data) => { … })";

/**
 * The default export of a model's file, TypeScript or JavaScript, as it stands: types are stripped on the way in, and the result kept in
 * a cache, since stripping takes longer than many a fit. The file's "ansatz" is this very package, wherever the file lies.
 *
 * @throws OptionError where there is no such file, or it has no model for its default export; DataError with file and line
 *         where it cannot be read or throws
 */
export async function loadModel(path: string): Promise<Model<unknown>> {
  const full = resolve(path);
  const found = statSync(full, { throwIfNoEntry: false });
  if (!found || found.isDirectory()) {
    const what = found ? "is a folder" : "does not exist";
    throw new OptionError(`${path} ${what}. Give the file of a model, as in "ansatz fit model.ts --data data.json".`);
  }
  const own = await import("../src/node.ts");
  // By require: an import would first search the loader's bundle for the names that it exports, which takes longer than loading it.
  const { createJiti } = createRequire(import.meta.url)("jiti") as typeof import("jiti");
  const jiti = createJiti(full, {
    // Not only the same code but the same instance: a tensor of another copy would be a stranger here.
    virtualModules: { ansatz: own, "ansatz/node": own },
  } as Parameters<typeof createJiti>[1]);
  let exported: unknown;
  try {
    exported = await jiti.import(full, { default: true });
  } catch (error) {
    throw loadingFailure(error, path, full);
  }
  if ((exported as Partial<Model<unknown>> | null)?.kind === "model") return exported as Model<unknown>;
  throw new OptionError(`${path} has no model for its default export, ${described(exported)}. ${advice}`);
}

/** What a module exports instead of a model. (Where it has no default export the loader hands out all that it has.) */
function described(exported: unknown): string {
  if (typeof exported === "function")
    return "but a function: export what model(…) returns, not the function given to it";
  if (typeof exported !== "object" || exported === null) return `but ${exported === null ? "null" : typeof exported}`;
  const names = Object.keys(exported).filter((name) => name !== "default");
  const models = names.filter(
    (n) => ((exported as Record<string, unknown>)[n] as { kind?: unknown })?.kind === "model",
  );
  if (models.length > 0) return `but exports ${models.join(", ")} by name: export it as default`;
  return names.length > 0 ? `but exports ${names.slice(0, 5).join(", ")}` : "and exports nothing";
}

function loadingFailure(error: unknown, path: string, full: string): Error {
  if (!(error instanceof Error)) return new DataError(`${path} throws ${String(error)} when it is loaded.`);
  const text = error.message.replace(/\s*\n\s*/g, " ").trim();
  // A syntax error's place stands in its text: "ParseError: Unexpected token  /a/model.ts:3:38".
  const parse = /^(?:ParseError|SyntaxError): (.*?)\s+(\S+?):(\d+):(\d+)$/.exec(text);
  if (parse) {
    const [, what, file, line, column] = parse;
    return new DataError(`${shownPath(file!, path, full)}:${line}:${Number(column) + 1}: syntax error: ${what}.`);
  }
  const missing = /^Cannot find (?:module|package) '([^']+)'/.exec(text)?.[1];
  if (missing) {
    const advice = missing.startsWith(".")
      ? "Correct the import; paths count from the file that it stands in."
      : 'Install it beside the model, or correct the import; what the library has comes from "ansatz".';
    return new DataError(`${importPlace(missing, path, full)}: there is no module "${missing}". ${advice}`);
  }
  return new DataError(
    `${userPlace(error, path) ?? path}: ${describedError(error)} This happened while the file was loaded.`,
  );
}

/** Where a file imports a module by this name; the loader moves imports to the first line. */
function importPlace(name: string, path: string, full: string): string {
  const line = readFileSync(full, "utf8")
    .split("\n")
    .findIndex((text) => text.includes(`"${name}"`) || text.includes(`'${name}'`));
  return line < 0 ? path : `${path}:${line + 1}`;
}

/** The error's kind and text, as a sentence; what the loader makes of names that are not exported is put in their terms. */
function describedError(error: Error): string {
  const text = error.message.replace(/\s*\n\s*/g, " ").trim();
  const absent = /^\(0 ?, _\w+\.(\w+)\) is not a function$/.exec(text)?.[1];
  const told = absent ? `"${absent}" is not a function that the imported module exports` : text;
  const named = error instanceof AnsatzError || error.name === "Error" ? told : `${error.name}: ${told}`;
  return /[.!?]$/.test(named) ? named : `${named}.`;
}

/** Paths as the user gave them: the model's own, others from the current folder. */
function shownPath(file: string, path: string, full: string): string {
  const plain = file.startsWith("file:") ? fileURLToPath(file) : file;
  return plain === full ? path : relative(process.cwd(), plain);
}

const ownFolder = fileURLToPath(new URL("..", import.meta.url));

/** The innermost frames of a stack that have a file. */
function framesOf(error: Error): { file: string; line: string }[] {
  return (error.stack ?? "").split("\n").flatMap((text) => {
    const [, file, line] =
      /^\s+at (?:.*?\(|async )?((?:file:\/\/)?(?:\/|[A-Za-z]:[\\/])[^()]*?):(\d+):\d+\)?$/.exec(text) ?? [];
    return file && line ? [{ file: file.startsWith("file:") ? fileURLToPath(file) : file, line }] : [];
  });
}

const isUsers = (file: string, full: string): boolean =>
  file === full || (!file.startsWith(`${ownFolder}dist`) && !file.startsWith(`${ownFolder}cli`) && !file.startsWith(`${ownFolder}src`) && !file.includes("node_modules")); // biome-ignore format: one condition

/** `model.ts:12`: the innermost place in the user's own files that an error came from; null where there is none. */
function userPlace(error: Error, path: string): string | null {
  const full = resolve(path);
  const frame = framesOf(error).find(({ file }) => isUsers(file, full));
  return frame ? `${shownPath(frame.file, path, full)}:${frame.line}` : null;
}

/**
 * An error of a fit, with the line of the model that it came from. What the model's own code throws is the user's to correct, and no
 * fault of ours.
 */
export function inModel(error: unknown, path: string): unknown {
  if (!(error instanceof Error)) return error;
  const place = userPlace(error, path);
  if (place === null) return error;
  if (error instanceof AnsatzError) {
    if (error.name !== "InternalError") error.message = `${place}: ${error.message}`;
    return error;
  }
  const isTheirs = isUsers(framesOf(error)[0]!.file, resolve(path));
  const ours = isTheirs ? "" : " This arose inside of ansatz, called from that line: check what is given to it there.";
  const told = new DataError(`${place}: ${describedError(error)}${ours}`);
  told.stack = error.stack;
  return told;
}
