import { inflateSync } from "node:zlib";

/** A reader of gray-and-alpha PNGs after the standard (ISO/IEC 15948), on Node's own inflate: the oracle for our writer. */
export function decodePng(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: { type: string; data: Uint8Array; covered: Uint8Array; crc: number }[] = [];
  for (let offset = 8; offset < bytes.length; ) {
    const length = view.getUint32(offset);
    const end = offset + 8 + length;
    chunks.push({
      type: String.fromCharCode(...bytes.subarray(offset + 4, offset + 8)),
      data: bytes.subarray(offset + 8, end),
      covered: bytes.subarray(offset + 4, end),
      crc: view.getUint32(end),
    });
    offset = end + 4;
  }
  const header = chunks[0]?.data ?? new Uint8Array();
  const headerView = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const width = headerView.getUint32(0);
  const height = headerView.getUint32(4);
  const raw = inflateSync(Buffer.concat(chunks.filter((chunk) => chunk.type === "IDAT").map((chunk) => chunk.data)));
  const stride = 2 * width;
  const pixels = new Uint8Array(stride * height);
  const at = (row: number, column: number) => (row < 0 || column < 0 ? 0 : (pixels[row * stride + column] ?? 0));
  for (let row = 0; row < height; row++) {
    const filter = raw[row * (stride + 1)] ?? 0;
    for (let column = 0; column < stride; column++) {
      const predicted = [() => 0, () => at(row, column - 2), () => at(row - 1, column)][filter];
      if (predicted === undefined) throw new Error(`filter ${filter} is not one of those that our writer uses`);
      pixels[row * stride + column] = (raw[row * (stride + 1) + 1 + column] ?? 0) + predicted();
    }
  }
  return { signature: bytes.subarray(0, 8), header, chunks, width, height, pixels };
}
