import { bytesOf, type DType, dtypes } from "../base/dtype.ts";
import { DataError } from "../base/errors.ts";
import { showShape, sizeOf } from "../base/shape.ts";
import { formatNames, type StoredTensor, writeOrder } from "./safetensors.ts";

export interface SafetensorsContent {
  readonly tensors: Record<string, StoredTensor>;
  readonly metadata: Record<string, string>;
}

/**
 * Reads a safetensors file. Arrays are views of `content` where alignment allows.
 *
 * @param source  what errors call it
 * @throws        DataError when the file is truncated, its header is damaged, its offsets leave holes or overlap, or a
 *                type is not one of ours
 */
export function decodeSafetensors(content: Uint8Array, source = "safetensors data"): SafetensorsContent {
  // A Node Buffer's `slice` would be a view, so no Buffer goes further.
  const bytes = new Uint8Array(content.buffer, content.byteOffset, content.byteLength);
  if (bytes.length < 8) throw truncated(source, 8, bytes.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = Number(view.getBigUint64(0, true));
  // The format's own limit; it keeps a file of another kind from being called truncated.
  if (headerLength > 100_000_000) throw damaged(source, `its header would have ${headerLength} bytes`);
  const start = 8 + headerLength;
  if (bytes.length < start) throw truncated(source, start, bytes.length);
  const { __metadata__: metadata = {}, ...entries } = headerOf(bytes.subarray(8, start), source);
  if (!isTextRecord(metadata)) throw damaged(source, "its __metadata__ is not a record of texts");

  const tensors: Record<string, StoredTensor> = {};
  let expectedOffset = 0;
  for (const [name, entry] of Object.entries(entries).sort(byOffset)) {
    const { dtype, shape, begin, end } = entryOf(entry, name, source);
    if (begin !== expectedOffset || end - begin !== sizeOf(shape) * bytesOf(dtype)) {
      throw damaged(
        source,
        `tensor "${name}", ${dtype} of shape ${showShape(shape)}, is said to lie at bytes ${begin} to ${end}, where ` +
          `${expectedOffset} to ${expectedOffset + sizeOf(shape) * bytesOf(dtype)} were expected`,
      );
    }
    if (bytes.length < start + end) throw truncated(source, start + end, bytes.length);
    const length = sizeOf(shape);
    const at = bytes.byteOffset + start + begin;
    const data =
      at % bytesOf(dtype) === 0
        ? dtypes[dtype].view(bytes.buffer, at, length)
        : dtypes[dtype].view(bytes.slice(start + begin, start + end).buffer, 0, length);
    tensors[name] = { dtype, shape, data };
    expectedOffset = end;
  }
  if (bytes.length !== start + expectedOffset) {
    throw damaged(source, `it has ${bytes.length - start - expectedOffset} bytes after its last tensor`);
  }
  return { tensors, metadata };
}

const truncated = (source: string, expected: number, found: number): DataError =>
  new DataError(
    `${source} is truncated: at least ${expected} bytes were expected, the file has ${found}. ` +
      "Copy it again, or go back to an earlier run.",
  );

const damaged = (source: string, finding: string): DataError =>
  new DataError(`${source} is not a sound safetensors file: ${finding}. Copy it again, or go back to an earlier run.`);

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isTextRecord = (value: unknown): value is Record<string, string> =>
  isRecord(value) && Object.values(value).every((text) => typeof text === "string");

function headerOf(bytes: Uint8Array, source: string): Record<string, unknown> {
  let header: unknown = null;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    // Reported below, together with JSON that is no object.
  }
  if (!isRecord(header)) throw damaged(source, "its header is not a JSON object");
  return header;
}

const offsetOf = (entry: unknown, which: 0 | 1): number =>
  isRecord(entry) && Array.isArray(entry.data_offsets) ? Number(entry.data_offsets[which]) : 0;

/** By begin, then end, so that empty tensors come before the one that starts at the same byte. */
const byOffset = ([, a]: [string, unknown], [, b]: [string, unknown]): number =>
  offsetOf(a, 0) - offsetOf(b, 0) || offsetOf(a, 1) - offsetOf(b, 1);

const areCounts = (values: unknown): values is number[] =>
  Array.isArray(values) && values.every((value) => Number.isSafeInteger(value) && value >= 0);

interface Entry {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

function entryOf(entry: unknown, name: string, source: string): Entry {
  if (
    !isRecord(entry) ||
    !areCounts(entry.shape) ||
    !areCounts(entry.data_offsets) ||
    entry.data_offsets.length !== 2
  ) {
    throw damaged(source, `the header's entry of tensor "${name}" lacks a shape or offsets`);
  }
  const dtype = writeOrder.find((candidate) => formatNames[candidate] === entry.dtype);
  if (!dtype) {
    const known = writeOrder.map((candidate) => formatNames[candidate]).join(", ");
    throw new DataError(
      `${source}: tensor "${name}" has type ${JSON.stringify(entry.dtype)}; ${known} are read. Convert it and save ` +
        "it again.",
    );
  }
  const [begin, end] = entry.data_offsets as [number, number];
  return { dtype, shape: entry.shape, begin, end };
}
