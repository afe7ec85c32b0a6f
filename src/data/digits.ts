import { type Dataset, datasetOf, selectRows } from "./dataset.ts";

const pixels = 64;

/**
 * The UCI handwritten digits: 1,797 images of 8×8 pixels with values 0 to 16 (Alpaydin and Kaynak 1998, "Optical
 * Recognition of Handwritten Digits", CC BY 4.0), unpacked from the module itself: the same bytes in Node and in
 * browsers, without a fetch.
 *
 * Every sixth row (5, 11, 17, …, counted from 0) is a test row: 1,498 rows to train on and 299 to test. Writers occur
 * on both sides.
 */
export async function digits(): Promise<{ readonly train: Dataset; readonly test: Dataset }> {
  // Loaded on demand, so that a page that never asks for the digits does not carry them.
  const { digitsCount, digitsPacked } = await import("./digits-packed.ts");
  const table = unpack(digitsPacked);
  const values = new Uint8Array(digitsCount * pixels);
  const labels = new Int32Array(digitsCount);
  for (let row = 0; row < digitsCount; row++) {
    const at = row * (pixels + 1);
    values.set(table.subarray(at, at + pixels), row * pixels);
    labels[row] = table[at + pixels]!;
  }
  const all: Dataset = datasetOf(
    { dtype: "u8", shape: [digitsCount, 8, 8], values },
    { name: "digits", source: "bundled digits", scale: 16, labels },
  );
  const rows = Array.from({ length: digitsCount }, (_, row) => row);
  return {
    train: selectRows(
      all,
      rows.filter((row) => row % 6 !== 5),
      "digits/train",
    ),
    test: selectRows(
      all,
      rows.filter((row) => row % 6 === 5),
      "digits/test",
    ),
  };
}

/** Two characters of 71 hold three values below 17; the backslash is not among them. */
function unpack(packed: string): Uint8Array {
  const out = new Uint8Array((packed.length / 2) * 3);
  const digit = (at: number) => {
    const code = packed.charCodeAt(at);
    return code < 92 ? code - 35 : code - 36;
  };
  for (let i = 0; 2 * i < packed.length; i++) {
    const triple = digit(2 * i) * 71 + digit(2 * i + 1);
    out[3 * i] = Math.floor(triple / 289);
    out[3 * i + 1] = Math.floor(triple / 17) % 17;
    out[3 * i + 2] = triple % 17;
  }
  return out;
}
