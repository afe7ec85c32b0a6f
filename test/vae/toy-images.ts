/** Gray 4 × 4 images with a bright 2 × 2 square in one of nine places, as 8-bit values. */
export function toyImages(count: number): Uint8Array {
  const values = new Uint8Array(count * 16);
  for (let i = 0; i < count; i++) {
    const [top, left] = [i % 3, Math.floor(i / 3) % 3];
    for (let p = 0; p < 16; p++) {
      const inside = Math.floor(p / 4) - top;
      const across = (p % 4) - left;
      const bright = inside >= 0 && inside < 2 && across >= 0 && across < 2;
      values[i * 16 + p] = bright ? 255 - ((i * 7 + p) % 20) : (i * 3 + p) % 25;
    }
  }
  return values;
}

export const toySet = (count: number) => ({ values: toyImages(count), width: 16, scale: 255 });
