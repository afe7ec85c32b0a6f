import zlib from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ShapeError } from "../../src/base/errors.ts";
import { imageGrid } from "../../src/report/image-grid.ts";
import { crc32, encodePng, pngDataUri } from "../../src/report/png.ts";
import { decodePng } from "./png.ts";

describe("a PNG", () => {
  test("holds exactly the given pixels", () => {
    const image = fc
      .tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }))
      .chain(([width, height]) =>
        fc.tuple(
          fc.constant(width),
          fc.constant(height),
          fc.uint8Array({ minLength: 2 * width * height, maxLength: 2 * width * height }),
        ),
      );
    fc.assert(
      fc.property(image, ([width, height, pixels]) => {
        const decoded = decodePng(encodePng(width, height, pixels));
        expect([decoded.width, decoded.height]).toEqual([width, height]);
        expect(Buffer.compare(decoded.pixels, pixels)).toBe(0);
      }),
      { seed: 1, numRuns: 100 },
    );
  });

  test("has the signature, header and chunks of the standard, each with its checksum", () => {
    const decoded = decodePng(encodePng(3, 2, new Uint8Array(12).fill(200)));
    expect([...decoded.signature]).toEqual([137, 80, 78, 71, 13, 10, 26, 10]);
    expect([...decoded.header]).toEqual([0, 0, 0, 3, 0, 0, 0, 2, 8, 4, 0, 0, 0]);
    expect(decoded.chunks.map((chunk) => chunk.type)).toEqual(["IHDR", "IDAT", "IEND"]);
    expect(decoded.chunks.at(-1)?.crc).toBe(0xae426082); // every PNG ends with these four bytes
    for (const { covered, crc } of decoded.chunks) expect(crc).toBe(zlib.crc32(covered));
  });

  test("has the CRC-32 of the check string", () => {
    expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
  });

  test("becomes a data URI with all its bytes, also when it is long", () => {
    const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => (index * 31) % 256);
    expect(pngDataUri(bytes)).toBe(`data:image/png;base64,${Buffer.from(bytes).toString("base64")}`);
  });
});

describe("an image grid", () => {
  const pixelsOf = (markup: string) => {
    const base64 = /src="data:image\/png;base64,([^"]+)"/.exec(markup)?.[1] ?? "";
    const { width, height, pixels } = decodePng(Buffer.from(base64, "base64"));
    const at = (x: number, y: number) => [...pixels.subarray(2 * (y * width + x), 2 * (y * width + x) + 2)];
    return { width, height, at };
  };
  const one = (values: readonly number[]) => ({ rows: 1, columns: 2, height: 1, width: 1, values });

  test("puts each original right above its reconstruction, black at 0 and white at 1", () => {
    const { width, height, at } = pixelsOf(imageGrid([one([0, 1]), one([0.5, 0.2])], "pairs"));
    // Two columns of single pixels, enlarged 16 times, with a gap of one between them and between the pair.
    expect([width, height]).toEqual([33, 33]);
    expect([at(0, 0), at(15, 15), at(17, 0), at(32, 15)]).toEqual([
      [0, 255],
      [0, 255],
      [255, 255],
      [255, 255],
    ]);
    expect([at(0, 17), at(15, 32), at(17, 17), at(32, 32)]).toEqual([
      [128, 255],
      [128, 255],
      [51, 255],
      [51, 255],
    ]);
    expect([at(16, 0), at(0, 16)]).toEqual([
      [0, 0],
      [0, 0],
    ]); // gaps are transparent
  });

  test("clips values outside of [0, 1] and leaves those that are not finite transparent", () => {
    const { at } = pixelsOf(imageGrid([{ ...one([-3, 7, Number.NaN, 1]), columns: 4 }], "odd values"));
    expect([at(0, 0), at(17, 0), at(34, 0), at(51, 0)]).toEqual([
      [0, 255],
      [255, 255],
      [0, 0],
      [255, 255],
    ]);
  });

  test("refuses values that do not fill its layout, and pairs of different layouts", () => {
    expect(() => imageGrid([one([1, 2, 3])], "")).toThrow(ShapeError);
    expect(() => imageGrid([one([1, 2]), { ...one([1, 2]), columns: 1, width: 2 }], "")).toThrow(/same layout/);
  });
});
