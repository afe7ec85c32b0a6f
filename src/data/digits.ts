import { type DataSplits, type Dataset, datasetOf, selectRows } from "./dataset.ts";

const pixels = 64;

/**
 * The UCI handwritten digits: 1,797 images of 8×8 pixels with values 0 to 16 (Alpaydin and Kaynak 1998, "Optical
 * Recognition of Handwritten Digits", CC BY 4.0), unpacked from the module itself: the same bytes in Node and in
 * browsers, without a fetch.
 *
 * Every sixth row (5, 11, 17, …, counted from 0) is a test row: 1,498 rows to train on and 299 to test. Writers occur
 * on both sides.
 */
export async function digits(): Promise<DataSplits> {
  // Loaded on demand, so that a page that never asks for the digits does not carry them.
  const [{ digitsCount, digitsPacked }, { inflateSync }] = await Promise.all([
    import("./digits-packed.ts"),
    import("fflate"),
  ]);
  const packed = Uint8Array.from(atob(digitsPacked), (character) => character.charCodeAt(0));
  const planes = inflateSync(packed, { out: new Uint8Array((pixels + 1) * digitsCount) });
  const values = new Uint8Array(digitsCount * pixels);
  for (let pixel = 0; pixel < pixels; pixel++) {
    for (let row = 0; row < digitsCount; row++) values[row * pixels + pixel] = planes[pixel * digitsCount + row]!;
  }
  const all: Dataset = datasetOf(
    { dtype: "u8", shape: [digitsCount, 8, 8], values },
    {
      name: "digits",
      source: "bundled digits",
      scale: 16,
      labels: Int32Array.from(planes.subarray(pixels * digitsCount)),
    },
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
