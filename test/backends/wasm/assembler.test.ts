import { describe, expect, test } from "vitest";
import loadWabt from "wabt";
import { f32, f64, s32, s64, u32, utf8 } from "../../../src/backends/wasm/assembler/encoding.ts";
import * as e from "../../../src/backends/wasm/assembler/expr.ts";
import { type FuncBuilder, ModuleBuilder } from "../../../src/backends/wasm/assembler/module.ts";

const wabt = await loadWabt();
const FEATURES = {
  simd: true,
  relaxed_simd: true,
  threads: true,
  bulk_memory: true,
  sat_float_to_int: true,
  multi_value: true,
};

/** The text that an independent decoder reads from these bytes, after it has validated them. */
function disassemble(bytes: Uint8Array): string {
  const module = wabt.readWasm(bytes, { readDebugNames: false, ...FEATURES });
  try {
    // Its types do not tell that it takes them.
    (module as { validate(features: object): void }).validate(FEATURES);
    return module.toText({ foldExprs: false, inlineExport: false });
  } finally {
    module.destroy();
  }
}

describe("integers in LEB128", () => {
  // The examples of the DWARF standard, section 7.6, and the ends of the range.
  test.each([
    [0, [0]],
    [2, [2]],
    [127, [127]],
    [128, [0x80, 1]],
    [129, [0x81, 1]],
    [12857, [0xb9, 0x64]],
    [624485, [0xe5, 0x8e, 0x26]],
    [0xffffffff, [0xff, 0xff, 0xff, 0xff, 0x0f]],
  ])("unsigned %d", (value, bytes) => {
    expect(u32(value)).toEqual(bytes);
  });
  test.each([
    [0, [0]],
    [2, [2]],
    [-2, [0x7e]],
    [127, [0xff, 0]],
    [-127, [0x81, 0x7f]],
    [128, [0x80, 1]],
    [-128, [0x80, 0x7f]],
    [129, [0x81, 1]],
    [-129, [0xff, 0x7e]],
    [-123456, [0xc0, 0xbb, 0x78]],
    [0x80000000, [0x80, 0x80, 0x80, 0x80, 0x78]],
  ])("signed %d", (value, bytes) => {
    expect(s32(value)).toEqual(bytes);
  });
  test("of 64 bits", () => {
    expect(s64(-1n)).toEqual([0x7f]);
    expect(s64(2n ** 63n - 1n)).toEqual([...new Array(9).fill(0xff), 0]);
    expect(s64(-(2n ** 63n))).toEqual([...new Array(9).fill(0x80), 0x7f]);
  });
  test("and floats in little-endian, names in UTF-8 with their length", () => {
    expect(f32(1)).toEqual([0, 0, 0x80, 0x3f]);
    expect(f64(-2)).toEqual([0, 0, 0, 0, 0, 0, 0, 0xc0]);
    expect(utf8("é1")).toEqual([3, 0xc3, 0xa9, 0x31]);
  });
});

/** An operand that writes nothing: after `unreachable` the stack holds whatever an instruction asks for. */
const anything: e.Expr = e.instr("v128", []);

/** The instruction that one row of an opcode table writes, as the decoder names it. */
function mnemonic(build: (...args: never[]) => e.Expr, more: readonly unknown[]): string {
  const m = new ModuleBuilder();
  m.function("f", [], [], (f) => {
    f.do(e.unreachable);
    f.do(build(...([anything, anything, anything].slice(0, build.length) as never[]), ...(more as never[])));
    f.do(e.unreachable);
  });
  const lines = disassemble(m.encode())
    .split("\n")
    .map((line) => line.trim());
  return lines[lines.findIndex((line) => line.startsWith("unreachable")) + 1]!.replace(/\).*$/, "").split(" ")[0]!;
}

/** Rows that are called otherwise than the specification's text format does, or take something besides operands. */
const LANED = ["extract", "replace"];
const tables = {
  i32: e.i32,
  i64: e.i64,
  f32: e.f32,
  f64: e.f64,
  v128: e.v128,
  i8x16: e.i8x16,
  i16x8: e.i16x8,
  i32x4: e.i32x4,
  i64x2: e.i64x2,
  f32x4: e.f32x4,
  f64x2: e.f64x2,
};

describe.each(Object.entries(tables))("the opcodes of %s", (type, table) => {
  const rows = Object.keys(table).filter((name) => name !== "const" && name !== "shuffle");
  test.each(rows)("%s", (name) => {
    const build = (table as unknown as Record<string, (...args: never[]) => e.Expr>)[name]!;
    const isShift = /^(shl|shr_[su])$/.test(name) && type.includes("x");
    const expected = LANED.some((lane) => name.startsWith(lane)) ? name.replace(/^(extract|replace)/, "$1_lane") : name;
    const wrapped = isShift
      ? () => (build as unknown as (a: e.Expr, n: e.Expr) => e.Expr)(anything, anything)
      : /^extract/.test(name)
        ? () => (build as unknown as (a: e.Expr, lane: number) => e.Expr)(anything, 1)
        : /^replace/.test(name)
          ? () => (build as unknown as (a: e.Expr, lane: number, v: e.Expr) => e.Expr)(anything, 1, anything)
          : /_lane$/.test(name)
            ? () => (build as unknown as (a: e.Expr, v: e.Expr, lane: number) => e.Expr)(anything, anything, 1)
            : build;
    expect(mnemonic(wrapped as never, [])).toBe(`${type}.${expected}`);
  });
});

test("the atomic and bulk instructions", () => {
  const text = (build: (f: FuncBuilder) => void) => {
    const m = new ModuleBuilder({ module: "env", name: "memory", shared: true });
    m.function("f", [], [], build);
    return disassemble(m.encode());
  };
  const zero = e.i32.const(0);
  const all = text((f) => {
    f.do(e.atomic.load(zero, 4));
    f.do(e.atomic.store(zero, zero, 8));
    f.do(e.atomic.add(zero, zero));
    f.do(e.atomic.wait(zero, zero, e.i64.const(-1n)));
    f.do(e.atomic.notify(zero, zero));
    f.do(e.memory.fill(zero, zero, zero));
    f.do(e.memory.copy(zero, zero, zero));
    f.do(e.select(e.i32.const(1), e.v128.load(zero), e.v128.load(zero, 16)) as never);
  });
  for (const name of [
    "i32.atomic.load offset=4",
    "i32.atomic.store offset=8",
    "i32.atomic.rmw.add",
    "memory.atomic.wait32",
    "memory.atomic.notify",
    "memory.fill",
    "memory.copy",
    "select",
    "(memory (;0;) 0 65536 shared)",
  ]) {
    expect(all).toContain(name);
  }
});

test("constants keep every bit", () => {
  const m = new ModuleBuilder();
  const out = [-0, 5e-324, Math.PI, -Infinity];
  m.export(
    "f64",
    m.function("a", ["i32"], ["f64"], (f, i) => {
      for (const [k, value] of out.entries()) f.if(e.i32.eq(i!, e.i32.const(k)), () => f.return(e.f64.const(value)));
      return e.f64.const(Number.NaN);
    }),
  );
  m.export(
    "i32",
    m.function("b", [], ["i32"], () => e.i32.const(-0x80000000)),
  );
  m.export(
    "i64",
    m.function("c", [], ["i64"], () => e.i64.const(-(2n ** 63n))),
  );
  m.export(
    "lane",
    m.function("d", [], ["i32"], () => e.i32x4.extract(e.i32x4.const(1, -2, 3, 0x7fffffff), 3)),
  );
  m.export(
    "wide",
    m.function("g", [], ["i64"], () => e.i64x2.extract(e.i64x2.const(-3n), 1)),
  );
  const x = run(m);
  for (const [k, value] of out.entries()) expect(Object.is(x.f64!(k), value)).toBe(true);
  expect(x.f64!(9)).toBeNaN();
  expect([x.i32!(), x.i64!(), x.lane!(), x.wide!()]).toEqual([-0x80000000, -(2n ** 63n), 0x7fffffff, -3n]);
});

type Exports = Record<string, (...args: unknown[]) => unknown>;

/** Compiles, with the decoder's agreement, and instantiates. */
function run(m: ModuleBuilder, imports: WebAssembly.Imports = {}): Exports {
  const bytes = m.encode();
  disassemble(bytes);
  const memory = new WebAssembly.Memory({ initial: 1 });
  return new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory }, ...imports }).exports as Exports;
}

describe("control flow", () => {
  /** A function of one i32 that traces which numbers it passes. */
  function trace(build: (f: FuncBuilder, note: (x: e.Expr) => void, n: e.Expr) => void) {
    const m = new ModuleBuilder();
    const seen: number[] = [];
    const note = m.importFunction("host", "note", ["i32"], []);
    m.export(
      "f",
      m.function("f", ["i32"], [], (f, n) => build(f, (x) => f.do(e.call(note, x)), n!)),
    );
    const { f } = run(m, { host: { note: (x: number) => void seen.push(x) } });
    return (n: number) => {
      seen.length = 0;
      f!(n);
      return [...seen];
    };
  }

  test("for counts from one end to before the other", () => {
    const f = trace((b, note, n) => {
      const i = b.local("i32");
      b.for(i, e.i32.const(2), n, 3, () => note(i));
    });
    expect(f(9)).toEqual([2, 5, 8]);
    expect(f(2)).toEqual([]);
    expect(f(-5)).toEqual([]);
  });
  test("while tests first, doWhile after", () => {
    const down = (kind: "while" | "doWhile") =>
      trace((b, note, n) => {
        const left = b.let(n);
        const body = () => {
          note(left);
          b.set(left, e.i32.sub(left, e.i32.const(1)));
        };
        if (kind === "while") b.while(() => e.i32.gt_s(left, e.i32.const(0)), body);
        else b.doWhile(body, () => e.i32.gt_s(left, e.i32.const(0)));
      });
    expect(down("while")(3)).toEqual([3, 2, 1]);
    expect(down("while")(0)).toEqual([]);
    expect(down("doWhile")(0)).toEqual([0]);
  });
  test("if, else, and what is inside them", () => {
    const f = trace((b, note, n) => {
      b.if(
        n,
        () =>
          b.if(
            e.i32.gt_s(n, e.i32.const(5)),
            () => note(e.i32.const(1)),
            () => note(e.i32.const(2)),
          ),
        () => note(e.i32.const(3)),
      );
    });
    expect([f(6), f(1), f(0)]).toEqual([[1], [2], [3]]);
  });
  test("leave jumps out of its own block, from loops inside it", () => {
    const f = trace((b, note, n) => {
      const i = b.local("i32");
      b.block((leave) => {
        b.for(i, e.i32.const(0), e.i32.const(10), 1, () => {
          leave(e.i32.eq(i, n));
          note(i);
        });
        note(e.i32.const(100));
      });
      note(e.i32.const(200));
    });
    expect(f(2)).toEqual([0, 1, 200]);
    expect(f(99)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 100, 200]);
  });
  test("switch runs one case; what lies outside runs the last", () => {
    const f = trace((b, note, n) =>
      b.switch(
        n,
        [10, 20, 30].map((v) => () => note(e.i32.const(v))),
      ),
    );
    expect([f(0), f(1), f(2), f(7), f(-1)]).toEqual([[10], [20], [30], [30], [30]]);
  });
});

describe("modules", () => {
  test("call functions with several results, and by index beyond 127", () => {
    const m = new ModuleBuilder();
    const many = Array.from({ length: 200 }, (_, i) => m.function(`f${i}`, [], ["i32"], () => e.i32.const(i)));
    const both = m.function("both", ["i32"], ["i32", "f64"], (_f, x) => [x!, e.f64.convert_i32_s(x!)]);
    m.export(
      "sum",
      m.function("sum", [], ["f64"], (f) => {
        const [a, b] = f.letCall(both, e.call(many[150]!));
        return e.f64.add(e.f64.convert_i32_s(a!), b!);
      }),
    );
    expect(run(m).sum!()).toBe(300);
  });
  test("import what they call, in order, and once", () => {
    const m = new ModuleBuilder();
    const a = m.importFunction("host", "a", ["i32"], ["i32"]);
    const b = m.importFunction("host", "b", ["i32"], ["i32"]);
    expect(m.importFunction("host", "a", ["i32"], ["i32"])).toBe(a);
    m.export(
      "f",
      m.function("f", ["i32"], ["i32"], (_f, x) => e.i32.sub(e.call(a, x!), e.call(b, x!))),
    );
    expect(m.importNames).toEqual(["host.a", "host.b"]);
    expect(run(m, { host: { a: (x: number) => 10 * x, b: (x: number) => x } }).f!(3)).toBe(27);
  });
  test("define a shared routine at its first request", () => {
    const m = new ModuleBuilder();
    let made = 0;
    const routine = () => m.once("r", () => m.function(`r${made++}`, [], ["i32"], () => e.i32.const(7)));
    expect(routine()).toBe(routine());
    expect(made).toBe(1);
  });
  test("refuse to set a local to a value of another type", () => {
    const m = new ModuleBuilder();
    m.function("f", [], [], (f) => {
      expect(() => f.set(f.local("i32"), e.f64.const(1))).toThrow("cannot set a i32 local to a f64 value");
    });
  });
});
