import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { digits } from "../../src/data/digits.ts";

test("written back as the CSV they came from, the digits have its published md5", async () => {
  const { train, test: held } = await digits();
  const lines: string[] = [];
  for (const part of [train, held!]) {
    for (let row = 0; row < part.count; row++) {
      const pixels = part.values.subarray(row * 64, (row + 1) * 64);
      lines[part.sourceRows![row]!] = `${pixels.join(",")},${part.labels![row]}\n`;
    }
  }
  const header = Array.from({ length: 64 }, (_, i) => `pixel_${Math.floor(i / 8)}_${i % 8}`);
  const text = `${header.join(",")},target\n${lines.join("")}`;
  expect(lines).toHaveLength(1797);
  expect(createHash("md5").update(text).digest("hex")).toBe("4a614a53f766ffc6444fc4bd97eacb60");
});

test("every sixth row is for testing", async () => {
  const { train, test: held } = await digits();
  expect([train.count, held!.count]).toEqual([1498, 299]);
  expect(Array.from(held!.sourceRows!.subarray(0, 3))).toEqual([5, 11, 17]);
  expect(Array.from(train.sourceRows!.subarray(0, 6))).toEqual([0, 1, 2, 3, 4, 6]);
});

test("pixels are 8-bit, 0 to 16, and 16 stands for 1", async () => {
  const { train } = await digits();
  expect(train).toMatchObject({ name: "digits/train", eventShape: [8, 8], width: 64, dtype: "u8", scale: 16 });
  expect(Math.max(...train.values)).toBe(16);
});
