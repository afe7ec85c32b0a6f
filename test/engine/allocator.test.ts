import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Allocator } from "../../src/engine/allocator.ts";

const PAGE = 65536;
const fresh = (maximum = 200) => new Allocator(new WebAssembly.Memory({ initial: 1, maximum }));

/** A request of so many bytes, or the release of one of the regions held. */
const actions = fc.array(
  fc.oneof(
    fc.record({ take: fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: 150_000 })) }),
    fc.record({ give: fc.nat() }),
  ),
  { maxLength: 60 },
);

describe("regions", () => {
  test("never overlap, are aligned to cache lines, lie in the memory and off its start", () => {
    fc.assert(
      fc.property(actions, (list) => {
        const allocator = fresh();
        const held: { at: number; bytes: number }[] = [];
        for (const action of list) {
          if ("take" in action) {
            const at = allocator.allocate(action.take);
            expect(at % 64).toBe(0);
            expect(at).toBeGreaterThanOrEqual(1024);
            expect(at + action.take).toBeLessThanOrEqual(allocator.memory.buffer.byteLength);
            for (const other of held) {
              expect(at + Math.max(1, action.take) <= other.at || other.at + Math.max(1, other.bytes) <= at).toBe(true);
            }
            held.push({ at, bytes: action.take });
          } else if (held.length) {
            const [gone] = held.splice(action.give % held.length, 1);
            allocator.release(gone!.at);
          }
          expect(allocator.usedBytes).toBe(held.reduce((n, r) => n + Math.max(64, Math.ceil(r.bytes / 64) * 64), 0));
        }
      }),
      { seed: 1, numRuns: 50 },
    );
  });
  test("all given back in any order make one again: the largest fits without growth", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 50_000 }), { minLength: 1, maxLength: 20 }),
        fc.infiniteStream(fc.nat()),
        (sizes, order) => {
          const allocator = fresh();
          const held = sizes.map((bytes) => allocator.allocate(bytes));
          while (held.length) allocator.release(held.splice(order.next().value! % held.length, 1)[0]!);
          const before = allocator.memory.buffer.byteLength;
          expect(allocator.allocate(before - 1024)).toBe(1024);
          expect(allocator.memory.buffer.byteLength).toBe(before);
        },
      ),
      { seed: 2, numRuns: 50 },
    );
  });
  test("are used again", () => {
    const allocator = fresh();
    const first = allocator.allocate(1000);
    allocator.allocate(1000);
    allocator.release(first);
    expect(allocator.allocate(900)).toBe(first);
  });
});

describe("the memory", () => {
  test("grows by what is missing after its free end", () => {
    const allocator = fresh();
    allocator.allocate(PAGE);
    expect(allocator.memory.buffer.byteLength).toBe(2 * PAGE);
    const at = allocator.allocate(3 * PAGE);
    expect(at + 3 * PAGE).toBeLessThanOrEqual(allocator.memory.buffer.byteLength);
    expect(allocator.memory.buffer.byteLength).toBeLessThanOrEqual(5 * PAGE);
  });
  test("does not grow while regions come and go", () => {
    const allocator = fresh();
    for (let i = 0; i < 10_000; i++) allocator.release(allocator.allocate(50_000 + (i % 7) * 100));
    expect(allocator.memory.buffer.byteLength).toBe(PAGE);
  });
  test("that is full says what was needed and what to do", () => {
    const allocator = fresh(4);
    allocator.allocate(2 * PAGE);
    expect(() => allocator.allocate(40 * 2 ** 20)).toThrow(
      /out of memory: 40 MiB more were needed.*use a smaller batch/s,
    );
    // What was there is still there.
    expect(allocator.allocate(1000)).toBeGreaterThan(0);
  });
});

test("a region is released once", () => {
  const allocator = fresh();
  const at = allocator.allocate(10);
  allocator.release(at);
  expect(() => allocator.release(at)).toThrow("was not allocated, or was released before");
  expect(() => allocator.release(4096)).toThrow("was not allocated");
});
