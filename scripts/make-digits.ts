/**
 * Packs the UCI digits into src/data/digits-packed.ts: `npx tsx scripts/make-digits.ts digits8x8.csv[.gz]`.
 *
 * The CSV has a header, 64 pixel columns (0 to 16, row-major) and the class as its last column, as exported from
 * scikit-learn's `load_digits`. It is stored column by column (all first pixels, then all second pixels, …, the classes
 * last), which deflates a tenth better than row by row, then as base64 in lines, which `atob` skips over.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { constants, deflateRawSync } from "node:zlib";
import { parseCsv } from "../src/data/csv.ts";
import { gunzip } from "../src/data/gzip.ts";

const path = process.argv[2];
if (path === undefined) throw new Error("usage: npx tsx scripts/make-digits.ts digits8x8.csv[.gz]");
const table = parseCsv(gunzip(readFileSync(path), path), path).array;
const [count, width] = table.shape;
if (count !== 1797 || width !== 65)
  throw new Error(`${path}: expected 1797 rows of 65 columns, found ${count} of ${width}`);

const planes = new Uint8Array(count * width);
for (let row = 0; row < count; row++) {
  for (let column = 0; column < width; column++) planes[column * count + row] = table.values[row * width + column]!;
}
const packed = deflateRawSync(planes, { level: 9, memLevel: 9, strategy: constants.Z_FILTERED }).toString("base64");

const target = new URL("../src/data/digits-packed.ts", import.meta.url);
writeFileSync(
  target,
  `// Made by scripts/make-digits.ts from the UCI digits; source and licence in data/digits/README.md.
export const digitsCount = ${count};

/** Planes of ${count} bytes (64 pixels, then the class), deflated, in base64. */
export const digitsPacked = \`
${packed.match(/.{1,116}/g)!.join("\n")}
\`;
`,
);
