import { sizeOf, stridesOf } from "../../base/shape.ts";
import { concat, full, gather, iota, transpose } from "../../tensor/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** One index that a term runs over: equal objects are the same index, whatever their position in a tensor. */
export interface Axis {
  readonly id: number;
  readonly size: number;
}

/** A tensor whose axes are named; what does not vary along an axis does not carry it. */
export interface Named {
  readonly tensor: Tensor;
  readonly axes: readonly Axis[];
}

let count = 0;
export const newAxis = (size: number): Axis => ({ id: count++, size });

const sizes = (axes: readonly Axis[]) => axes.map((a) => a.size);
export const product = (axes: readonly Axis[]): number => sizeOf(sizes(axes));

/** All axes of several, those of the longest first. */
export function union(parts: readonly (readonly Axis[])[]): Axis[] {
  const longest = [...parts].sort((p, q) => q.length - p.length);
  return [...new Set(longest.flat())];
}

/** The tensor with its axes in the order of `axes`, of size 1 where it does not have them. */
export function aligned({ tensor, axes: own }: Named, axes: readonly Axis[]): Tensor {
  const order = axes.filter((a) => own.includes(a)).map((a) => own.indexOf(a));
  const sorted = order.every((p, i) => p === i) ? tensor : transpose(tensor, order);
  if (order.length === axes.length) return sorted;
  return sorted.reshape(axes.map((a) => (own.includes(a) ? a.size : 1)));
}

/** An elementwise function of named tensors, on the axes that any of them has. */
export function elementwise(parts: readonly Named[], f: (tensors: readonly Tensor[]) => Tensor): Named {
  const axes = union(parts.map((p) => p.axes));
  const found = f(parts.map((p) => aligned(p, axes)));
  return { tensor: found.broadcastTo(sizes(axes)), axes };
}

export const scalar = (like: Tensor, value: number): Named => ({ tensor: full(like, [], value, "f64"), axes: [] });
export const map = (x: Named, f: (t: Tensor) => Tensor): Named => ({ tensor: f(x.tensor), axes: x.axes });
export const multiply = (x: Named, y: Named): Named => elementwise([x, y], ([a, b]) => a!.mul(b!));
export const plus = (x: Named, y: Named): Named => elementwise([x, y], ([a, b]) => a!.add(b!));

export const rename = ({ tensor, axes }: Named, to: ReadonlyMap<Axis, Axis>): Named => ({
  tensor,
  axes: axes.map((a) => to.get(a) ?? a),
});

/** Sums out axes; one that the tensor does not have counts its size. */
export function sumOver(x: Named, over: readonly Axis[]): Named {
  const mine = over.filter((a) => x.axes.includes(a));
  const copies = product(over.filter((a) => !x.axes.includes(a)));
  const tensor = mine.length ? x.tensor.sum(mine.map((a) => x.axes.indexOf(a))) : x.tensor;
  return { tensor: copies === 1 ? tensor : tensor.mul(copies), axes: x.axes.filter((a) => !mine.includes(a)) };
}

/** Products with more multiplications than this go through matmul where they are products of matrices. */
const MATMUL_FROM = 4096;

/** Σ of x · y over axes that no one needs any more. */
function contractPair(x: Named, y: Named, over: readonly Axis[]): Named {
  const has = (n: Named, a: Axis) => n.axes.includes(a);
  const joint = over.filter((a) => has(x, a) && has(y, a));
  const left = sumOver(x, over.filter((a) => has(x, a) && !has(y, a))); // biome-ignore format: short
  const right = sumOver(y, over.filter((a) => has(y, a) && !has(x, a))); // biome-ignore format: short
  const rows = left.axes.filter((a) => !has(right, a));
  const columns = right.axes.filter((a) => !has(left, a));
  const batch = left.axes.filter((a) => has(right, a) && !joint.includes(a));
  const work = product(rows) * product(columns) * product(batch) * product(joint);
  if (!joint.length || !rows.length || !columns.length || work < MATMUL_FROM) {
    return sumOver(multiply(left, right), joint);
  }
  const shape = (axes: readonly Axis[][]) => axes.map((group) => product(group));
  const a = aligned(left, [...batch, ...rows, ...joint]).reshape([...sizes(batch), ...shape([rows, joint])]);
  const b = aligned(right, [...batch, ...joint, ...columns]).reshape([...sizes(batch), ...shape([joint, columns])]);
  const axes = [...batch, ...rows, ...columns];
  return { tensor: a.matmul(b).reshape(sizes(axes)), axes };
}

/**
 * Σ over all axes but `keep` of the product of the factors, two at a time, the pair with the smallest result first. An axis of `over`
 * that no factor has counts its size.
 */
export function contract(factors: readonly Named[], keep: readonly Axis[], over: readonly Axis[] = []): Named {
  let left = factors.map((f) => f);
  const spare = product(over.filter((a) => !keep.includes(a) && !left.some((f) => f.axes.includes(a))));
  const needed = (a: Axis, others: readonly Named[]) => keep.includes(a) || others.some((f) => f.axes.includes(a));
  left = left.map((f, i) => sumOver(f, f.axes.filter((a) => !needed(a, left.toSpliced(i, 1))))); // biome-ignore format: short
  while (left.length > 1) {
    let best: { i: number; j: number; size: number; cost: number } | null = null;
    for (let i = 0; i < left.length; i++) {
      for (let j = i + 1; j < left.length; j++) {
        const others = left.filter((_, n) => n !== i && n !== j);
        const all = union([left[i]!.axes, left[j]!.axes]);
        const size = product(all.filter((a) => needed(a, others)));
        const cost = product(all);
        if (!best || size < best.size || (size === best.size && cost < best.cost)) best = { i, j, size, cost };
      }
    }
    const { i, j } = best!;
    const others = left.filter((_, n) => n !== i && n !== j);
    const all = union([left[i]!.axes, left[j]!.axes]);
    const made = contractPair(left[i]!, left[j]!, all.filter((a) => !needed(a, others))); // biome-ignore format: short
    left = [...others, made];
  }
  const [only] = left as [Named];
  return spare === 1 ? only : map(only, (t) => t.mul(spare));
}

/** Where one axis of a tensor is looked at. */
export type Label =
  /** At the axis itself, shifted; outside the tensor it is 0. */
  | { readonly kind: "axis"; readonly axis: Axis; readonly offset: number }
  | { readonly kind: "at"; readonly at: number }
  /** At whole numbers that are computed. */
  | { readonly kind: "index"; readonly index: Named }
  /** major · size + minor, as a flattened pair of axes is addressed. */
  | { readonly kind: "pair"; readonly major: Label; readonly minor: Label; readonly size: number };

export const along = (axis: Axis, offset = 0): Label => ({ kind: "axis", axis, offset });

export const axesOfLabel = (label: Label): readonly Axis[] => {
  if (label.kind === "axis") return [label.axis];
  if (label.kind === "at") return [];
  if (label.kind === "index") return label.index.axes;
  return union([axesOfLabel(label.major), axesOfLabel(label.minor)]);
};

/** A text that is equal exactly when two labels are. */
export function labelKey(label: Label): string {
  if (label.kind === "axis") return `a${label.axis.id}+${label.offset}`;
  if (label.kind === "at") return `@${label.at}`;
  if (label.kind === "index") return `i${label.index.tensor.node.id}[${label.index.axes.map((a) => a.id)}]`;
  return `p(${labelKey(label.major)},${labelKey(label.minor)},${label.size})`;
}
export const labelsKey = (labels: readonly Label[]): string => labels.map(labelKey).join(" ");

export function renameLabel(label: Label, to: ReadonlyMap<Axis, Axis>): Label {
  if (label.kind === "axis") return { ...label, axis: to.get(label.axis) ?? label.axis };
  if (label.kind === "index") return { ...label, index: rename(label.index, to) };
  if (label.kind === "pair")
    return { ...label, major: renameLabel(label.major, to), minor: renameLabel(label.minor, to) };
  return label;
}

/** The label's whole numbers as f64. */
export function indexOf(like: Tensor, label: Label): Named {
  if (label.kind === "at") return scalar(like, label.at);
  if (label.kind === "index") return map(label.index, (t) => t.cast("f64"));
  if (label.kind === "pair") {
    return elementwise([indexOf(like, label.major), indexOf(like, label.minor)], ([a, b]) =>
      a!.mul(label.size).add(b!),
    );
  }
  const { axis, offset } = label;
  return { tensor: iota(like, [axis.size], 0, "f64").add(offset), axes: [axis] };
}

/** The tensor looked at through one label an axis. */
export function resolve(tensor: Tensor, labels: readonly Label[]): Named {
  // Numbers and shifts first: they leave a plain tensor.
  let x = tensor;
  const left: Label[] = [];
  for (const label of labels) {
    const p = left.length;
    if (label.kind === "at") x = x.narrow(p, label.at, 1).reshape(x.shape.toSpliced(p, 1));
    else if (label.kind === "axis" && (label.offset !== 0 || label.axis.size !== x.shape[p])) {
      x = shifted(x, p, label.offset, label.axis.size);
      left.push(along(label.axis));
    } else left.push(label);
  }
  const axes = left.flatMap((l) => (l.kind === "axis" ? [l.axis] : []));
  if (axes.length === left.length && new Set(axes).size === axes.length) return { tensor: x, axes };
  const special = left.findIndex((l) => l.kind !== "axis");
  const rest = left.toSpliced(special, 1);
  const restAxes = rest.flatMap((l) => (l.kind === "axis" ? [l.axis] : []));
  const simple = special >= 0 && restAxes.length === rest.length && new Set(restAxes).size === rest.length;
  const index = simple ? indexOf(x, left[special]!) : null;
  if (index && !index.axes.some((a) => restAxes.includes(a))) {
    const front = transpose(x, [special, ...x.shape.map((_, d) => d).filter((d) => d !== special)]);
    return { tensor: gather(front, index.tensor.cast("u32")), axes: [...index.axes, ...restAxes] };
  }
  // The general case: one flat index over all axes.
  const strides = stridesOf(x.shape);
  const flat = left.map((l, p) => map(indexOf(x, l), (t) => t.mul(strides[p]!))).reduce((a, b) => plus(a, b));
  return { tensor: gather(x.reshape([sizeOf(x.shape)]), flat.tensor.cast("u32")), axes: flat.axes };
}

/** `size` elements from `offset` on along one axis, zeros outside. */
function shifted(x: Tensor, axis: number, offset: number, size: number): Tensor {
  const n = x.shape[axis]!;
  const from = Math.max(0, offset);
  const to = Math.min(n, offset + size);
  const zeros = (k: number) => full(x, x.shape.with(axis, k), 0);
  if (to <= from) return zeros(size);
  const parts = [
    ...(offset < 0 ? [zeros(Math.min(-offset, size))] : []),
    x.narrow(axis, from, to - from),
    ...(offset + size > n ? [zeros(offset + size - Math.max(n, offset))] : []),
  ];
  return parts.length === 1 ? parts[0]! : concat(parts, axis);
}
