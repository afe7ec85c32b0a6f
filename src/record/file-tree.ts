import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { OptionError } from "../base/errors.ts";

/**
 * Writes a folder of files (a Zarr store, for example) beside its place and then moves it there, so that nobody finds half
 * of it.
 *
 * @param files      path under the folder, with "/", and bytes
 * @param overwrite  replace what the folder holds; without it only an empty place is written to
 * @throws           OptionError where something is at the place
 */
export function writeFileTree(
  folder: string,
  files: Readonly<Record<string, Uint8Array>>,
  { overwrite = false }: { readonly overwrite?: boolean } = {},
): void {
  if (existsSync(folder) && !overwrite) {
    throw new OptionError(`${folder} exists already. Choose another place, or say that it may be overwritten.`);
  }
  const temporary = `${folder}.${process.pid}.tmp`;
  rmSync(temporary, { recursive: true, force: true });
  try {
    for (const [path, bytes] of Object.entries(files)) {
      const target = join(temporary, ...path.split("/"));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, bytes);
    }
    rmSync(folder, { recursive: true, force: true });
    renameSync(temporary, folder);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw error;
  }
}
