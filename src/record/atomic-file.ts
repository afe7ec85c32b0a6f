import { closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** Names of half-written files: a dot, the file's name, the writer's process, so that two writers never share one. */
const temporaryName = /^\.(.+)\.\d+\.tmp$/;

/**
 * Puts new content in a file's place so that a reader, at any moment and after a kill or a power cut at any moment,
 * finds either all of the old content or all of the new: write a temporary file beside it, flush it, rename it over the
 * old one, flush the folder.
 */
export function writeAtomically(path: string, content: Uint8Array | string): void {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  try {
    const file = openSync(temporary, "w");
    try {
      for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    // A full disk leaves the old file as it was, and no half one beside it.
    rmSync(temporary, { force: true });
    throw error;
  }
  flushFolder(dirname(path));
}

/** Makes renames and removals in a folder durable. Windows cannot open a folder and needs no such flush. */
export function flushFolder(folder: string): void {
  if (process.platform === "win32") return;
  flushFile(folder);
}

/** Makes what was written to a file durable. */
export function flushFile(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Removes what killed writers of the named files left half-written. */
export function removeLeftovers(folder: string, names: readonly string[]): void {
  for (const file of readdirSync(folder)) {
    const of = temporaryName.exec(file)?.[1];
    if (of !== undefined && names.includes(of)) rmSync(join(folder, file), { force: true });
  }
}
