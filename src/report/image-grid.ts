import { ShapeError } from "../base/errors.ts";
import { escapeHtml } from "./format.ts";
import type { ImageGrid } from "./input.ts";
import { encodePng, pngDataUri } from "./png.ts";

const targetWidth = 1000;
const largestEnlargement = 16;
const widestOnPage = 560;

/**
 * One or two grids of gray images as an `<img>`. With two, each row of the first stands right above the same row of
 * the second, so that an original and its reconstruction touch.
 *
 * The pixels are enlarged here by a whole factor: a browser that scales 8 × 8 images by 1.7 makes some pixels twice as
 * wide as others. Gaps, and values that are not finite, are transparent and so suit light and dark pages.
 *
 * @throws ShapeError when `values` has not rows · columns · height · width numbers, or two grids differ in layout
 */
export function imageGrid(grids: readonly [ImageGrid] | readonly [ImageGrid, ImageGrid], description: string): string {
  const [first] = grids;
  for (const grid of grids) checkGrid(grid, first);
  const { rows, columns, height, width } = first;
  const scale = Math.min(largestEnlargement, Math.max(1, Math.floor(targetWidth / Math.max(1, columns * width))));
  const tileWidth = scale * width;
  const tileHeight = scale * height;
  const gap = Math.max(1, Math.round(tileWidth / 14));
  const pairGap = grids.length > 1 ? 2 * gap : gap;
  const rowHeight = grids.length * tileHeight + (grids.length - 1) * Math.max(1, Math.round(gap / 3));
  const imageWidth = columns * tileWidth + (columns - 1) * gap;
  const imageHeight = rows * rowHeight + (rows - 1) * pairGap;
  const pixels = new Uint8Array(2 * imageWidth * imageHeight);

  for (const [which, grid] of grids.entries()) {
    for (let row = 0; row < rows; row++) {
      const top = row * (rowHeight + pairGap) + which * (rowHeight - tileHeight);
      for (let y = 0; y < tileHeight; y++) {
        for (let column = 0; column < columns; column++) {
          const source = ((row * columns + column) * height + Math.floor(y / scale)) * width;
          let target = 2 * ((top + y) * imageWidth + column * (tileWidth + gap));
          for (let x = 0; x < tileWidth; x++) {
            const value = grid.values[source + Math.floor(x / scale)] as number;
            const isShown = Number.isFinite(value);
            pixels[target++] = isShown ? Math.round(255 * Math.min(1, Math.max(0, value))) : 0;
            pixels[target++] = isShown ? 255 : 0;
          }
        }
      }
    }
  }

  const uri = pngDataUri(encodePng(imageWidth, imageHeight, pixels));
  const size = `width="${imageWidth}" height="${imageHeight}" style="max-width:${Math.min(widestOnPage, imageWidth)}px"`;
  return `<img class="tiles" src="${uri}" ${size} alt="${escapeHtml(description)}">`;
}

function checkGrid(grid: ImageGrid, first: ImageGrid): void {
  const sizes = [grid.rows, grid.columns, grid.height, grid.width];
  const expected = sizes.reduce((product, size) => product * size, 1);
  if (sizes.some((size) => !Number.isInteger(size) || size < 1) || grid.values.length !== expected) {
    throw new ShapeError(
      `An image grid of the report has ${grid.values.length} values, but its layout [${sizes.join(", ")}] ` +
        `(rows, columns, height, width) asks for ${expected}, each size at least 1.`,
    );
  }
  const firstSizes = [first.rows, first.columns, first.height, first.width];
  if (sizes.some((size, axis) => size !== firstSizes[axis])) {
    throw new ShapeError(
      `Originals and reconstructions of the report must have the same layout (rows, columns, height, width), but are ` +
        `[${firstSizes.join(", ")}] and [${sizes.join(", ")}].`,
    );
  }
}
