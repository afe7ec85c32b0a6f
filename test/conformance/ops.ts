import { allocate, type DType, isFloat, type TypedArray } from "../../src/base/dtype.ts";
import { type Shape, sizeOf } from "../../src/base/shape.ts";
import type { Node } from "../../src/ir/node.ts";
import { binary, compare, shift, unary } from "../../src/ops/scalar.ts";
import type { BinaryName, CompareName, ShiftName, Trace, UnaryName } from "../../src/ops/vocabulary.ts";
import { linalgRows } from "./linalg-ops.ts";
import { pairOpRows } from "./pair-ops.ts";
import { Random } from "./random.ts";
import { rowOpRows } from "./row-ops.ts";

/** One operand: a tensor of given numbers. */
export interface Operand {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly values: TypedArray;
}

/** One use of an op. `tolerance` is absolute, beside the op's relative one. */
export interface OpCase {
  readonly name: string;
  readonly args: readonly Operand[];
  readonly build: (b: Trace, ...xs: Node[]) => Node;
  readonly tolerance?: number;
}

/** How far results of one op may lie apart: relative, and absolute where its results pass through zero. */
export interface OpRow {
  readonly relative?: Partial<Record<DType, number>>;
  readonly absolute?: Partial<Record<DType, number>>;
  readonly cases: readonly OpCase[];
}

const [E32, E64] = [2 ** -23, 2 ** -52];
/** 2 ulp in f32, 4 in f64, and what the reference itself (the host's Math, or base/special.ts) is off by. */
const MATH = { f32: 3 * E32, f64: 8 * E64 };
const SPECIAL = { f32: 3 * E32, f64: 4e-14 };

const random = new Random(7);

/** Numbers of every kind that a float can be. */
const SPECIALS = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  2,
  -2,
  1.5,
  -1.5,
  2.5,
  -2.5,
  0.1,
  -0.1,
  3.7,
  -3.7,
  10,
  -10,
  20.5,
  -20.5,
  88,
  -88,
  104,
  -104,
  709,
  -745,
  1e-3,
  -1e-3,
  1e-8,
  -1e-8,
  1e-20,
  -1e-20,
  2 ** -126,
  -(2 ** -126),
  2 ** -149,
  -(2 ** -149),
  2 ** -140,
  5e-324,
  -5e-324,
  1e-310,
  2 ** 23,
  2 ** 24 + 2,
  2 ** 31,
  -(2 ** 31),
  2 ** 32,
  2 ** 53,
  1e10,
  -1e10,
  1e38,
  -1e38,
  1e300,
  -1e300,
  Infinity,
  -Infinity,
  Number.NaN,
  Math.PI,
  -Math.PI,
  1 - 2 ** -24,
  1 + 2 ** -23,
  1 - 2 ** -53,
  255,
  256,
  254.9,
  -0.9,
  127.5,
];
const INTEGERS = [
  0, 1, -1, 2, 3, -3, 7, 100, -100, 255, 256, 65535, 65536, 0x7fffffff, -0x80000000, 0x12345678, -0x12345678, 31,
];

const specials = (dtype: DType): readonly number[] =>
  isFloat(dtype) ? SPECIALS : dtype === "bool" ? [0, 1, 1, 0, 1] : INTEGERS;

function tensor(dtype: DType, shape: Shape, values?: readonly number[] | ((i: number) => number)): Operand {
  const out = allocate(dtype, sizeOf(shape));
  for (let i = 0; i < out.length; i++) {
    if (typeof values === "function") out[i] = values(i);
    else if (values) out[i] = values[i % values.length]!;
    else if (dtype === "bool") out[i] = random.below(2);
    else out[i] = isFloat(dtype) ? random.between(-1, 1) : random.chance(0.5) ? random.bits() : random.below(20) - 10;
  }
  return { dtype, shape, values: out };
}

/** Scalars, lengths that leave lanes over, axes of size 1, and nothing at all. */
const SHAPES: readonly Shape[] = [[], [1], [3], [7], [3, 5], [1, 6, 1], [2, 3, 4], [0, 3]];

const DOMAINS: Record<string, readonly DType[]> = {
  float: ["f32", "f64"],
  number: ["f32", "f64", "i32", "u32"],
  int: ["i32", "u32"],
  bits: ["bool", "i32", "u32"],
};
const ALL: readonly DType[] = ["f32", "f64", "i32", "u32", "u8", "bool"];
const BOTH: readonly DType[] = ["f32", "f64"];
const NUMBERS: readonly DType[] = ["f32", "f64", "i32", "u32"];

/** Moderate numbers, where every function has something to say. */
const moderate = (dtype: DType, shape: Shape): Operand =>
  isFloat(dtype) ? tensor(dtype, shape, () => random.between(-6, 6)) : tensor(dtype, shape);

function unaryCases(dtypes: readonly DType[], build: OpCase["build"]): OpCase[] {
  return dtypes.flatMap((dtype) => [
    { name: `${dtype} specials`, args: [tensor(dtype, [specials(dtype).length], specials(dtype))], build },
    ...SHAPES.map((shape) => ({ name: `${dtype}[${shape}]`, args: [moderate(dtype, shape)], build })),
  ]);
}

function binaryCases(dtypes: readonly DType[], build: OpCase["build"]): OpCase[] {
  return dtypes.flatMap((dtype) => {
    const list = specials(dtype);
    const n = list.length;
    return [
      {
        name: `${dtype} every pair of specials`,
        args: [tensor(dtype, [n], list), tensor(dtype, [n], list)],
        build: (b: Trace, x: Node, y: Node) => build(b, b.broadcast(x, [n, n], [0]), b.broadcast(y, [n, n], [1])),
      },
      ...SHAPES.map((shape) => ({
        name: `${dtype}[${shape}]`,
        args: [moderate(dtype, shape), moderate(dtype, shape)],
        build,
      })),
      {
        name: `${dtype} with a number`,
        args: [moderate(dtype, [5])],
        build: (b: Trace, x: Node) => build(b, x, b.fill(x, 1)),
      },
    ];
  });
}

const unaryRows = Object.entries(unary).map(([name, row]): [string, OpRow] => {
  const exact = ["neg", "abs", "sign", "floor", "sqrt", "not"].includes(name);
  const special = ["lgamma", "digamma", "erf", "erfinv"].includes(name);
  return [
    name,
    {
      relative: exact ? {} : special ? SPECIAL : MATH,
      absolute: name === "lgamma" || name === "digamma" ? { f32: 8 * E32, f64: 1e-13 } : {},
      cases: unaryCases(DOMAINS[row.on]!, (b, x) => b[name as UnaryName](x)),
    },
  ];
});

const binaryRows = Object.entries(binary).map(([name, row]): [string, OpRow] => [
  name,
  {
    relative: name === "pow" ? { f32: 3 * E32, f64: 1e-14 } : {},
    cases: binaryCases(DOMAINS[row.on]!, (b, x, y) => b[name as BinaryName](x!, y!)),
  },
]);

const compareRows = Object.keys(compare).map((name): [string, OpRow] => [
  name,
  { cases: binaryCases(ALL, (b, x, y) => b[name as CompareName](x!, y!)) },
]);

const shiftRows = Object.keys(shift).map((name): [string, OpRow] => [
  name,
  { cases: [1, 5, 16, 31].flatMap((bits) => unaryCases(["i32", "u32"], (b, x) => b[name as ShiftName](x, bits))) },
]);

const select: OpRow = {
  cases: ALL.flatMap((dtype) =>
    SHAPES.map((shape) => ({
      name: `${dtype}[${shape}]`,
      args: [tensor("bool", shape), tensor(dtype, shape), tensor(dtype, shape, specials(dtype))],
      build: (b, c, x, y) => b.select(c, x!, y!),
    })),
  ),
};

const cast: OpRow = {
  cases: ALL.flatMap((from) =>
    ALL.filter((to) => to !== from).flatMap((to) => unaryCases([from], (b, x) => b.cast(x, to))),
  ),
};

const WORDS: readonly DType[] = ["f32", "i32", "u32"];
const bitcast: OpRow = {
  cases: WORDS.flatMap((from) =>
    WORDS.filter((to) => to !== from).map((to) => ({
      name: `${from} to ${to}`,
      // Without NaN: JavaScript does not keep its bits.
      args: [
        tensor(from, [17], (i) =>
          from === "f32" ? [0, -0, 1, -1.5, 1e38, 2 ** -149, Infinity][i % 7]! : 0x3f000000 + i,
        ),
      ],
      build: (b, x) => b.bitcast(x, to),
    })),
  ),
};

const AXES: readonly [Shape, readonly number[]][] = [
  [[1], [0]],
  [[7], [0]],
  [[103], [0]],
  [[3, 5], [0]],
  [[3, 5], [1]],
  [
    [3, 5],
    [0, 1],
  ],
  [[3, 4, 6], [1]],
  [
    [3, 4, 6],
    [0, 2],
  ],
  [
    [2, 3, 2, 5],
    [1, 2],
  ],
  [[5, 1, 3], [1]],
  [[17, 33], [0]],
  [[17, 33], [1]],
];
const EMPTY: readonly [Shape, readonly number[]][] = [
  [[0], [0]],
  [[0, 3], [0]],
  [[3, 0], [1]],
  [[3, 0], [0]],
];

function reductionCases(
  dtypes: readonly DType[],
  build: (b: Trace, x: Node, axes: readonly number[]) => Node,
  empty = true,
): OpCase[] {
  return dtypes.flatMap((dtype) => {
    const epsilon = dtype === "f32" ? E32 : E64;
    const plain = [...AXES, ...(empty ? EMPTY : [])].map(([shape, axes]) => ({
      name: `${dtype}[${shape}] over [${axes}]`,
      args: [tensor(dtype, shape)],
      build: (b: Trace, x: Node) => build(b, x, axes),
      tolerance: isFloat(dtype) ? 2 * (sizeOf(axes.map((a) => shape[a]!)) + 4) * epsilon : 0,
    }));
    const hard = (name: string, values: readonly number[]) => ({
      name: `${dtype} ${name}`,
      args: [tensor(dtype, [values.length, 9], (i) => values[Math.floor(i / 9)]!)],
      build: (b: Trace, x: Node) => build(b, x, [0]),
    });
    const along = (name: string, values: readonly number[]) => ({
      name: `${dtype} ${name}, along rows`,
      args: [tensor(dtype, [3, values.length], values)],
      build: (b: Trace, x: Node) => build(b, x, [1]),
    });
    const lists: [string, readonly number[]][] = isFloat(dtype)
      ? [
          ["with NaN", [1, Number.NaN, 2, 3, 4]],
          ["with infinity", [1, Infinity, -2, 0, 5]],
          ["of both infinities", [1, Infinity, -Infinity]],
          ["of −∞", [-Infinity, -Infinity, -Infinity]],
          ["of zeros", [-0, 0, -0]],
        ]
      : [
          ["of extremes", [-0x80000000, 0x7fffffff, -1, 0, 5]],
          ["of the least", [-0x80000000, -0x80000000, -0x80000000]],
        ];
    return [...plain, ...lists.map((l) => hard(...l)), ...lists.map((l) => along(...l))];
  });
}

const reductionRows: Record<string, OpRow> = {
  sum: { cases: reductionCases(NUMBERS, (b, x, axes) => b.sum(x, axes)) },
  max: { cases: reductionCases(NUMBERS, (b, x, axes) => b.max(x, axes)) },
  logsumexp: {
    relative: { f32: 4 * E32, f64: 1e-14 },
    cases: reductionCases(BOTH, (b, x, axes) => b.logsumexp(x, axes)),
  },
  argmax: {
    cases: [
      ...reductionCases(NUMBERS, (b, x, axes) => b.argmax(x, axes[0]!), false),
      {
        name: "ties give the first",
        args: [tensor("f32", [4, 6], [1, 3, 3, 0, 3, 2])],
        build: (b, x) => b.argmax(x, 1),
      },
    ],
  },
};

const everyDtype = (shape: Shape, name: string, build: OpCase["build"]): OpCase[] =>
  ALL.map((dtype) => ({ name: `${dtype} ${name}`, args: [tensor(dtype, shape)], build }));

const movementRows: Record<string, OpRow> = {
  iota: {
    cases: (["f32", "f64", "i32", "u32"] as const).flatMap((dtype) =>
      [
        [[7], 0],
        [[3, 5], 0],
        [[3, 5], 1],
        [[2, 3, 4], 1],
        [[1], 0],
      ].map(([shape, axis]) => ({
        name: `${dtype}[${shape}] along ${axis}`,
        args: [],
        build: (b: Trace) => b.iota(dtype, shape as Shape, axis as number),
      })),
    ),
  },
  reshape: {
    cases: [
      ...everyDtype([6, 4], "split", (b, x) => b.reshape(x, [3, 2, 2, 2])),
      ...everyDtype([3, 5], "of a transpose", (b, x) => b.reshape(b.transpose(x, [1, 0]), [15])),
      ...everyDtype([2, 3, 4], "of an inner transpose", (b, x) => b.reshape(b.transpose(x, [0, 2, 1]), [2, 12])),
      ...everyDtype([1], "to a scalar", (b, x) => b.reshape(x, [])),
      ...everyDtype([0, 4], "of nothing", (b, x) => b.reshape(x, [2, 0])),
      ...everyDtype([3], "of a broadcast", (b, x) => b.reshape(b.broadcast(x, [2, 3], [1]), [6])),
      ...everyDtype([9], "of a slice", (b, x) => b.reshape(b.slice(x, [3], [6]), [2, 3])),
    ],
  },
  broadcast: {
    cases: [
      ...everyDtype([], "of a scalar", (b, x) => b.broadcast(x, [3, 5], [])),
      ...everyDtype([5], "along new rows", (b, x) => b.broadcast(x, [3, 5], [1])),
      ...everyDtype([3], "along new columns", (b, x) => b.broadcast(x, [3, 5], [0])),
      ...everyDtype([2, 3], "along an inner axis", (b, x) => b.broadcast(x, [2, 4, 3], [0, 2])),
    ],
  },
  transpose: {
    cases: [
      ...everyDtype([3, 5], "2d", (b, x) => b.transpose(x, [1, 0])),
      ...everyDtype([2, 3, 4], "3d", (b, x) => b.transpose(x, [2, 0, 1])),
      ...everyDtype([17, 9], "large", (b, x) => b.transpose(x, [1, 0])),
    ],
  },
  slice: {
    cases: [
      ...everyDtype([11], "1d", (b, x) => b.slice(x, [3], [5])),
      ...everyDtype([4, 6], "a window", (b, x) => b.slice(x, [1, 2], [2, 3])),
      ...everyDtype([4, 6], "a column", (b, x) => b.slice(x, [0, 5], [4, 1])),
      ...everyDtype([4], "of nothing", (b, x) => b.slice(x, [4], [0])),
    ],
  },
  pad: {
    cases: [
      ...everyDtype([5], "1d", (b, x) => b.pad(x, [2], [1])),
      ...everyDtype([3, 4], "2d", (b, x) => b.pad(x, [1, 0], [0, 3])),
      ...everyDtype([], "a scalar", (b, x) => b.pad(x, [], [])),
      ...everyDtype([0, 2], "nothing", (b, x) => b.pad(x, [1, 1], [2, 0])),
      ...everyDtype([3, 4], "a transpose", (b, x) => b.pad(b.transpose(x, [1, 0]), [1, 1], [1, 1])),
    ],
  },
  concat: {
    cases: ALL.flatMap((dtype) => [
      ...(
        [
          [0, [3, 4], [2, 4]],
          [1, [3, 4], [3, 3]],
          [0, [5], [0]],
          [2, [2, 3, 1], [2, 3, 4]],
        ] as const
      ).map(([axis, s, t]) => ({
        name: `${dtype} [${s}] and [${t}] along ${axis}`,
        args: [tensor(dtype, s), tensor(dtype, t)],
        build: (b: Trace, x: Node, y: Node) => b.concat([x, y, x], axis),
      })),
      {
        name: `${dtype} of a transpose, a broadcast and a constant`,
        args: [tensor(dtype, [3, 3]), tensor(dtype, [3])],
        build: (b: Trace, x: Node, y: Node) =>
          b.concat([b.transpose(x, [1, 0]), b.broadcast(y, [2, 3], [1]), b.constant(1, dtype, [1, 3]), x], 0),
      },
    ]),
  },
};

const INDICES = [0, 2, 1, -1, 5, 99, 2, -0x80000000, 0x7fffffff, 3, 4, 4];
const indexCases = (make: (index: Operand, rest: Shape, dtype: DType) => OpCase, dtypes: readonly DType[]): OpCase[] =>
  dtypes.flatMap((dtype) =>
    (["i32", "u32"] as const).flatMap((index) =>
      ([[12], [3, 4], [], [0], [1]] as const).flatMap((lead) =>
        ([[], [4], [3, 2], [1], [0]] as const).map((rest) => make(tensor(index, lead, INDICES), rest, dtype)),
      ),
    ),
  );

const gatherRows: Record<string, OpRow> = {
  gather: {
    cases: indexCases(
      (index, rest, dtype) => ({
        name: `${dtype}[5,${rest}] at ${index.dtype}[${index.shape}]`,
        args: [tensor(dtype, [5, ...rest]), index],
        build: (b, x, i) => b.gather(x, i!),
      }),
      ALL,
    ),
  },
  scatterAdd: {
    relative: { f32: 16 * E32, f64: 16 * E64 },
    absolute: { f32: 16 * E32, f64: 16 * E64 },
    cases: indexCases(
      (index, rest, dtype) => ({
        name: `${dtype}[${[...index.shape, ...rest]}] at ${index.dtype}[${index.shape}]`,
        args: [tensor(dtype, [...index.shape, ...rest]), index],
        build: (b, x, i) => b.scatterAdd(x, i!, 5),
      }),
      NUMBERS,
    ),
  },
  shuffle: {
    cases: [0, 1, 2, 7, 100].map((n) => ({
      name: `of ${n}`,
      args: [tensor("u32", [n])],
      build: (b, x) => b.shuffle(x),
    })),
  },
};

/** m, n, k; the last ones are worth a call to BLAS. */
const SIZES = [
  [1, 1, 1],
  [3, 5, 4],
  [1, 7, 9],
  [7, 1, 9],
  [1, 1, 33],
  [4, 4, 0],
  [0, 3, 2],
  [8, 16, 12],
  [13, 17, 31],
  [40, 24, 50],
  [1, 200, 90],
  [130, 1, 77],
] as const;
const FLAGS = [
  [false, false],
  [true, false],
  [false, true],
  [true, true],
] as const;

const stored = (transposed: boolean, lead: Shape, rows: number, columns: number): Shape =>
  transposed ? [...lead, columns, rows] : [...lead, rows, columns];

const matmul: OpRow = {
  cases: BOTH.flatMap((dtype) => {
    const epsilon = dtype === "f32" ? E32 : E64;
    return [
      ...FLAGS.flatMap(([p, q]) =>
        [[], [3], [2, 2]].flatMap((lead) =>
          SIZES.slice(0, lead.length ? 9 : undefined).map(([m, n, k]) => ({
            name: `${dtype} [${lead}] ${m}×${k}${p ? "ᵀ" : ""} by ${k}×${n}${q ? "ᵀ" : ""}`,
            args: [tensor(dtype, stored(p, lead, m, k)), tensor(dtype, stored(q, lead, k, n))],
            build: (b: Trace, x: Node, y: Node) => b.matmul(x, y, p, q),
            tolerance: (k + 1) * epsilon,
          })),
        ),
      ),
      {
        name: `${dtype} one operand twice`,
        args: [tensor(dtype, [24, 24])],
        build: (b: Trace, x: Node) => b.matmul(x, x, true, false),
        tolerance: 25 * epsilon,
      },
      {
        name: `${dtype} NaN and infinity stay in their rows and columns`,
        args: [
          tensor(dtype, [20, 16], (i) => (i === 35 ? Number.NaN : i === 100 ? Infinity : (i % 5) - 2)),
          tensor(dtype, [16, 20], (i) => (i % 7) - 3),
        ],
        build: (b: Trace, x: Node, y: Node) => b.matmul(x, y),
      },
      {
        name: `${dtype} of broadcast and sliced operands`,
        args: [tensor(dtype, [16]), tensor(dtype, [20, 30])],
        build: (b: Trace, x: Node, y: Node) => b.matmul(b.broadcast(x, [12, 16], [1]), b.slice(y, [2, 5], [16, 20])),
        tolerance: 17 * epsilon,
      },
    ];
  }),
};

const controlRows: Record<string, OpRow> = {
  input: { cases: everyDtype([3, 4], "read", (_b, x) => x) },
  const: {
    cases: ALL.flatMap((dtype) =>
      [0, 1, 200].map((value) => ({
        name: `${dtype} ${value}`,
        args: [],
        build: (b: Trace) => b.constant(dtype === "bool" ? value & 1 : value, dtype, [5]),
      })),
    ),
  },
  copy: { cases: everyDtype([3, 5], "copied", (b, x) => b.builder.append("copy", [x])) },
  stopGradient: { cases: everyDtype([5], "passed on", (b, x) => b.stopGradient(x)) },
  customVjp: { cases: everyDtype([5], "passed on", (b, x) => b.customVjp(x, [x], (_b, g) => [g])) },
};

/** Every op of the table has its row; a new op needs one here. */
export const conformance: Readonly<Record<string, OpRow>> = {
  ...controlRows,
  ...Object.fromEntries([...unaryRows, ...binaryRows, ...compareRows, ...shiftRows]),
  select,
  cast,
  bitcast,
  ...reductionRows,
  ...movementRows,
  ...gatherRows,
  matmul,
  ...linalgRows,
  ...rowOpRows,
  ...pairOpRows,
};
