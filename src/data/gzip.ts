import { gunzipSync } from "fflate";
import { DataError } from "../base/errors.ts";

/** Whether the bytes start as gzip does (RFC 1952). The name of a file does not matter. */
export const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

/**
 * Unpacked length as the last four bytes state it (modulo 2³²), or null where that cannot be true: deflate packs at
 * most 1032 to 1, so that a damaged trailer cannot ask for gigabytes.
 */
export function statedLength(gzip: Uint8Array): number | null {
  if (gzip.length < 18) return null;
  const stated = new DataView(gzip.buffer, gzip.byteOffset, gzip.byteLength).getUint32(gzip.length - 4, true);
  return stated <= gzip.length * 1032 ? stated : null;
}

/**
 * Unpacks gzip anywhere; bytes that are not gzip are returned as they are.
 *
 * @throws DataError when the stream is damaged or ends early
 */
export function gunzip(bytes: Uint8Array, source: string): Uint8Array {
  if (!isGzip(bytes)) return bytes;
  const expected = statedLength(bytes);
  if (expected === null) throw damagedGzip(source, bytes.length);
  let unpacked: Uint8Array;
  try {
    // One byte of room more than is stated: fflate drops what does not fit, and a longer content must not pass for the
    // stated.
    unpacked = gunzipSync(bytes, { out: new Uint8Array(expected + 1) });
  } catch {
    // What fflate says ("unexpected EOF") names neither the file nor the remedy.
    throw damagedGzip(source, bytes.length);
  }
  if (unpacked.length !== expected) throw damagedGzip(source, bytes.length);
  return unpacked;
}

export const damagedGzip = (source: string, length: number): DataError =>
  new DataError(
    `${source} cannot be unpacked: its gzip stream is damaged or ends early (the file has ${length} bytes). ` +
      "Fetch or copy it again.",
  );
