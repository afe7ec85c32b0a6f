/**
 * Packs the UCI digits into src/data/digits-packed.ts: `npx tsx scripts/make-digits.ts digits8x8.csv[.gz]`.
 *
 * The CSV has a header, 64 pixel columns (0 to 16, row-major) and the class as its last column, as exported from
 * scikit-learn's `load_digits`. Three values make a number below 17³, written as two characters of 71: unpacking is a
 * loop over character codes, which matters at start-up more than the size does.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parseCsv } from "../src/data/csv.ts";
import { gunzip } from "../src/data/gzip.ts";

const path = process.argv[2];
if (path === undefined) throw new Error("usage: npx tsx scripts/make-digits.ts digits8x8.csv[.gz]");
const table = parseCsv(gunzip(readFileSync(path), path), path).array;
const [count, width] = table.shape;
if (count !== 1797 || width !== 65)
  throw new Error(`${path}: expected 1797 rows of 65 columns, found ${count} of ${width}`);

let packed = "";
for (let i = 0; i < count * width; i += 3) {
  const [a, b = 0, c = 0] = table.values.subarray(i, i + 3);
  const triple = (a! * 17 + b) * 17 + c;
  for (const digit of [Math.floor(triple / 71), triple % 71])
    packed += String.fromCharCode(digit < 57 ? 35 + digit : 36 + digit);
}

const target = new URL("../src/data/digits-packed.ts", import.meta.url);
writeFileSync(
  target,
  `// Made by scripts/make-digits.ts from the UCI digits; source and licence in data/digits/README.md.
export const digitsCount = ${count};

/** ${count} rows of 65 values (64 pixels, then the class): three values of 0 to 16 in two characters. */
export const digitsPacked = ${JSON.stringify(packed)};
`,
);
