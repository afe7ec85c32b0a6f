import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { OptionError } from "../base/errors.ts";

/**
 * Writes a folder of files (a Zarr store, for example) beside its place and then moves it there, so that nobody finds half
 * of it.
 *
 * @param files  path under the folder, with "/", and bytes
 * @throws       OptionError where something is at the place: nothing is ever overwritten
 */
export function writeFileTree(folder: string, files: Readonly<Record<string, Uint8Array>>): void {
  const place = resolve(folder);
  if (existsSync(place)) {
    throw new OptionError(`${folder} exists already. Choose another place, or remove it first.`);
  }
  const temporary = `${place}.${process.pid}.tmp`;
  rmSync(temporary, { recursive: true, force: true });
  try {
    for (const [path, bytes] of Object.entries(files)) {
      const target = join(temporary, ...path.split("/"));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, bytes);
    }
    renameSync(temporary, place);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw error;
  }
}
