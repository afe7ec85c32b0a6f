import type { FileTree } from "./zarr.ts";

/** The files as one zip archive, stored as they are: a Zarr store in one file. The same content gives the same bytes. */
export async function zipFiles(files: FileTree): Promise<Uint8Array> {
  const { zipSync } = await import("fflate");
  return zipSync(files, { level: 0, mtime: new Date(1980, 0, 1) });
}
