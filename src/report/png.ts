import { zlibSync } from "fflate";

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const bytesPerPixel = 2;

const crcTable = Uint32Array.from({ length: 256 }, (_, index) => {
  let remainder = index;
  for (let bit = 0; bit < 8; bit++) remainder = remainder & 1 ? 0xedb88320 ^ (remainder >>> 1) : remainder >>> 1;
  return remainder;
});

/** CRC-32 with the polynomial of IEEE 802.3, as PNG asks for (ISO/IEC 15948, annex D). */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crcTable[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/**
 * A PNG of 8-bit gray with alpha (ISO/IEC 15948, colour type 4). The same pixels always give the same bytes.
 *
 * @param pixels  gray and alpha by turns, row-major, length 2 · width · height
 */
export function encodePng(width: number, height: number, pixels: Uint8Array): Uint8Array {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, 4, 0, 0, 0], 8); // bit depth, colour type, compression, filter method, no interlace
  const chunks = [
    Uint8Array.from(signature),
    chunk("IHDR", header),
    chunk("IDAT", zlibSync(filterRows(width, height, pixels), { level: 9 })),
    chunk("IEND", new Uint8Array(0)),
  ];
  const png = new Uint8Array(chunks.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of chunks) {
    png.set(part, offset);
    offset += part.length;
  }
  return png;
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  for (let index = 0; index < 4; index++) bytes[4 + index] = type.charCodeAt(index);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

/**
 * Each row with the filter that leaves the smallest sum of absolute differences (the standard's advice, 12.7), among
 * none, left neighbour and upper neighbour: enlarged images are runs in both directions.
 */
function filterRows(width: number, height: number, pixels: Uint8Array): Uint8Array {
  const stride = bytesPerPixel * width;
  const filtered = new Uint8Array(height * (stride + 1));
  const left = (row: number, column: number) =>
    column < bytesPerPixel ? 0 : (pixels[row * stride + column - bytesPerPixel] as number);
  const above = (row: number, column: number) => (row === 0 ? 0 : (pixels[(row - 1) * stride + column] as number));
  const predictors = [() => 0, left, above];
  for (let row = 0; row < height; row++) {
    let smallest = Number.POSITIVE_INFINITY;
    for (const [type, predict] of predictors.entries()) {
      const candidate = new Uint8Array(stride + 1);
      candidate[0] = type;
      let size = 0;
      for (let column = 0; column < stride; column++) {
        const difference = ((pixels[row * stride + column] as number) - predict(row, column)) & 0xff;
        candidate[column + 1] = difference;
        size += Math.min(difference, 256 - difference);
      }
      if (size >= smallest) continue;
      smallest = size;
      filtered.set(candidate, row * (stride + 1));
    }
  }
  return filtered;
}

/** The PNG as a data URI. `btoa`, because this also runs in browsers. */
export function pngDataUri(png: Uint8Array): string {
  let binary = "";
  for (let offset = 0; offset < png.length; offset += 0x2000) {
    binary += String.fromCharCode(...png.subarray(offset, offset + 0x2000));
  }
  return `data:image/png;base64,${btoa(binary)}`;
}
