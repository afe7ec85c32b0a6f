import { existsSync, mkdirSync, readdirSync, rmdirSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { DataError, OptionError, runFiles } from "../src/node.ts";
import { shellWord } from "./describe.ts";
import { lockName } from "./run-lock.ts";

/** Makes the first of runs/<name>-1, runs/<name>-2, … that is free, and returns it. */
export function makeNumberedRun(dataPath: string): string {
  const name =
    basename(resolve(dataPath))
      .replace(/\.gz$/i, "")
      .replace(/(\.[a-z]+|-images[-.]idx.*)$/i, "")
      .replace(/[^\w.-]+/g, "-") || "run";
  mkdirSync("runs", { recursive: true });
  for (let number = 1; ; number++) {
    const directory = join("runs", `${name}-${number}`);
    try {
      // Made without looking first: of two commands that start together each gets its own.
      mkdirSync(directory);
      return directory;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}

/** Makes the directory that --out names. @throws OptionError when that is not possible */
export function makeRun(directory: string): string {
  try {
    makeWithParents(resolve(directory));
    return directory;
  } catch (error) {
    throw new OptionError(
      `${directory} cannot be made (${(error as Error).message}). Choose another directory for the run (--out).`,
    );
  }
}

/** By hand: Node's recursive mkdir never returns where a file system refuses a new directory with ENOENT, as /proc does. */
function makeWithParents(directory: string): void {
  const parent = dirname(directory);
  if (!existsSync(parent)) makeWithParents(parent);
  try {
    mkdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST" || !statSync(directory).isDirectory()) throw error;
  }
}

/** @throws OptionError when the directory holds a run: found out before the data are read */
export function refuseOtherRun(directory: string): void {
  if (!existsSync(join(directory, runFiles.manifest))) return;
  const word = shellWord(directory);
  throw new OptionError(
    `${directory} holds a run already. Continue it (ansatz train --resume ${word}), replace it (--overwrite), or choose ` +
      "another directory (--out).",
  );
}

/** @throws DataError when the directory was made for a run that was killed before it had anything to go on from */
export function refuseUnbegun(directory: string): void {
  if (existsSync(join(directory, runFiles.manifest)) || !existsSync(join(directory, lockName))) return;
  throw new DataError(
    `${directory} holds no run yet: its training has not begun, or was killed before its first step. There is nothing to go on from: start it ` +
      "with the command that made the directory.",
  );
}

/** Takes a directory away again that was made for a run which never began, and is still empty. */
export function removeIfEmpty(directory: string): void {
  if (existsSync(directory) && readdirSync(directory).length === 0) rmdirSync(directory);
}
