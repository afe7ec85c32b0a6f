import { sizeOf } from "../../base/shape.ts";
import type { Node } from "../../ir/node.ts";
import type { Trace } from "../../ops/vocabulary.ts";
import { iota } from "../../tensor/functions.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { Expectations } from "./expectations.ts";
import {
  add,
  choose,
  collapse,
  type Form,
  isKnown,
  known,
  leavesText,
  negate,
  power,
  scale,
  sumForm,
  type Term,
  times,
} from "./form.ts";
import {
  type Axis,
  along,
  axesOfLabel,
  elementwise,
  indexOf,
  type Label,
  labelsKey,
  map,
  type Named,
  newAxis,
  resolve,
  scalar,
} from "./named.ts";
import { NotConjugate } from "./not-conjugate.ts";

/** A latent input node, as the reader meets it. */
export interface Latent {
  readonly site: string;
  readonly previous: boolean;
  /** The values of a discrete site; null of a continuous one. */
  readonly states: readonly number[] | null;
  /** Whether it lies between 0 and 1. */
  readonly isUnit: boolean;
}

/** A discrete latent quantity that a term looks at: the term carries its states as one more axis, weighted by their probabilities. */
export interface Gate {
  readonly site: string;
  readonly previous: boolean;
  readonly labels: readonly Label[];
  readonly axis: Axis;
}

const UNARY = new Set("neg abs sign floor sqrt exp log log1p expm1 tanh sigmoid softplus sin cos lgamma digamma erf erfinv not".split(" ")); // biome-ignore format: a list
/** Ops whose value jumps, and does nothing else. */
const STEPS = new Set("sign floor eq ne lt le gt ge".split(" "));
const BINARY = new Set("add sub mul div rem pow minimum maximum and or xor eq ne lt le gt ge".split(" "));

/** What to write in place of ops that have no form. */
const INSTEAD_OF: Readonly<Record<string, string>> = {
  cumsum: " (for the weights of a broken stick there is stickBreaking)",
  scan: ": a chain hands on what is no site that its body samples",
};

/** Reads the graph of a parameter as a polynomial of the latent sites, from the top: each node is asked for at labelled axes. */
export class Reader {
  readonly gates: Gate[] = [];
  private readonly trace: Trace;
  private readonly latents: ReadonlyMap<Node, Latent>;
  private readonly unit: ReadonlySet<string>;
  /** Nodes that latent sites decide. */
  private readonly random: ReadonlySet<Node>;
  private readonly found = new Map<string, Form>();
  private readonly like: Tensor;
  private readonly expectations: Expectations | null;

  constructor(
    trace: Trace,
    latents: ReadonlyMap<Node, Latent>,
    random: ReadonlySet<Node>,
    expectations: Expectations | null = null,
  ) {
    this.expectations = expectations;
    this.trace = trace;
    this.latents = latents;
    this.unit = new Set([...latents.values()].filter((l) => l.isUnit).map((l) => l.site));
    this.random = random;
    this.like = new Tensor(trace, trace.constant(0, "f64"));
  }

  /** The polynomial that a tensor is, its axes labelled. */
  read(tensor: Tensor, labels: readonly Label[]): Form {
    return this.node(tensor.node, labels);
  }

  isRandom(node: Node): boolean {
    return this.random.has(node);
  }

  private node(node: Node, labels: readonly Label[]): Form {
    const key = `${node.id}|${labelsKey(labels)}`;
    const before = this.found.get(key);
    if (before) return before;
    const form = this.make(node, labels);
    this.found.set(key, form);
    return form;
  }

  private tensor = (node: Node): Tensor => new Tensor(this.trace, node);

  private gate(latent: Latent, labels: readonly Label[]): Gate {
    const { site, previous, states } = latent;
    const key = labelsKey(labels);
    let gate = this.gates.find((g) => g.site === site && g.previous === previous && labelsKey(g.labels) === key);
    if (!gate) {
      gate = { site, previous, labels, axis: newAxis(states!.length) };
      this.gates.push(gate);
    }
    return gate;
  }

  private make(node: Node, labels: readonly Label[]): Form {
    const latent = this.latents.get(node);
    if (latent?.states) {
      const { axis } = this.gate(latent, labels);
      return known({ tensor: valuesAlong(this.like, latent.states), axes: [axis] });
    }
    if (latent) {
      const { site, previous } = latent;
      if (this.expectations?.has(site)) return this.expectations.site(site, labels);
      return { terms: [{ factors: [], leaves: [{ site, previous, labels, power: 1 }], sums: [] }] };
    }
    const { op, inputs, attrs, shape } = node;
    const [x, y] = inputs as [Node, Node];
    const at = (input: Node, l: readonly Label[]) => this.node(input, l);
    switch (op) {
      case "const":
        return known(map(scalar(this.like, attrs.value as number), (t) => (node.dtype === "f64" ? t : t.cast(node.dtype)))); // biome-ignore format: short
      case "iota":
        return known(
          map(indexOf(this.like, labels[attrs.axis as number] ?? { kind: "at", at: 0 }), (t) => t.cast(node.dtype)),
        );
      case "stopGradient":
      case "copy":
        return at(x, labels);
      case "broadcast":
      case "reshape":
      case "transpose":
      case "slice":
        return at(x, this.moved(node, labels)!);
      case "pad": {
        const low = attrs.low as readonly number[];
        return at(x, labels.map((l, p) => (low[p] || x.shape[p] !== shape[p] ? this.offset(l, -low[p]!) : l))); // biome-ignore format: short
      }
      case "concat":
        return this.concat(node, labels);
      case "sum": {
        const over = attrs.axes as readonly number[];
        const summed = over.map((p) => newAxis(x.shape[p]!));
        const rest = [...labels];
        const all = x.shape.map((_, p) => (over.includes(p) ? along(summed[over.indexOf(p)]!) : rest.shift()!));
        return sumForm(at(x, all), summed);
      }
      case "matmul":
        return this.matmul(node, labels);
      case "gather": {
        if (!this.random.has(node) && !this.isOrder(y)) break;
        const rank = y.shape.length;
        return at(x, [this.index(y, labels.slice(0, rank)), ...labels.slice(rank)]);
      }
      case "select": {
        const [condition, yes, no] = inputs.map((n) => at(n, labels)) as [Form, Form, Form];
        if (!isKnown(condition))
          throw new NotConjugate(`a choice depends on the continuous ${leavesText(condition)}`, true);
        const c = collapse(condition);
        if (isKnown(yes) && isKnown(no)) {
          return known(this.apply("select", [c, collapse(yes), collapse(no)]));
        }
        const chosen = map(c, (t) => t.cast("f64"));
        const other = map(chosen, (t) => t.mul(-1).add(1));
        return choose([{ where: chosen, form: yes }, { where: other, form: no }]); // biome-ignore format: short
      }
      case "cast": {
        const form = at(x, labels);
        if (node.dtype === "f64" && x.dtype !== "bool") return castTo(form, "f64");
        return isKnown(form) ? known(map(collapse(form), (t) => t.cast(node.dtype))) : form;
      }
      case "customVjp":
        if (!this.random.has(node)) break;
        return at(x, labels);
      case "add":
        return this.complemented(add(at(x, labels), at(y, labels)));
      case "sub":
        return this.complemented(add(at(x, labels), negate(this.like, at(y, labels))));
      default:
    }
    if (UNARY.has(op) || BINARY.has(op)) {
      const forms = inputs.map((n) => at(n, labels));
      const sums = forms.some((f) => this.sumsOverStates(f));
      if (!sums && forms.every(isKnown)) return known(this.apply(op, forms.map(collapse))); // biome-ignore format: short
      const bent = this.expectations && !sums && forms.some((f) => f.terms.some((t) => t.leaves.some((l) => this.expectations!.has(l.site)))); // biome-ignore format: one line
      const straight = ["neg", "mul"].includes(op) || (op === "div" && isKnown(forms[1]!));
      const polynomial = bent && !straight ? null : this.polynomial(op, forms);
      if (polynomial) return polynomial;
      if (bent) return known(this.apply(op, forms.map((f) => this.expectations!.nodes(f)))); // biome-ignore format: one line
      if (sums) throw new NotConjugate(`it takes "${op}" of a sum over the elements of a discrete site`);
      throw new NotConjugate(`it takes "${op}" of ${forms.map(leavesText).join(" and ")}`, STEPS.has(op));
    }
    if (this.random.has(node)) throw new NotConjugate(`a latent site goes through "${op}"${INSTEAD_OF[op] ?? ""}`);
    return known(resolve(this.tensor(node), labels));
  }

  /** Whether a form sums over elements of a discrete site, whose probabilities must be in the sum: then it is no value yet. */
  private sumsOverStates(form: Form): boolean {
    return form.terms.some((t) =>
      this.gates.some(
        (g) =>
          t.factors.some((f) => f.axes.includes(g.axis)) &&
          g.labels.some((label) => axesOfLabel(label).some((a) => t.sums.includes(a))),
      ),
    );
  }

  private polynomial(op: string, forms: readonly Form[]): Form | null {
    const [x, y] = forms as [Form, Form];
    if (op === "neg") return negate(this.like, x);
    if (op === "mul") return times(x, y);
    if (op === "div") return times(x, power(y, -1));
    if (op === "sqrt") return power(x, 0.5);
    if (op === "pow" && isKnown(y)) {
      const exponent = this.constant(collapse(y).tensor);
      if (exponent !== null) return power(x, exponent);
    }
    return null;
  }

  /** The one number that a tensor holds; null where it is not the same constant everywhere. */
  constant({ node }: Tensor): number | null {
    let at = node;
    while (at.op === "broadcast" || at.op === "reshape") at = at.inputs[0]!;
    return at.op === "const" ? (at.attrs.value as number) : null;
  }

  /** 1 − x of a site between 0 and 1 as one leaf, which has a logarithm of its own; any other form as it is. */
  private complemented(form: Form): Form {
    if (form.terms.length !== 2) return form;
    const [one, other] = [...form.terms].sort((a, b) => a.leaves.length - b.leaves.length) as [Term, Term];
    const [leaf, ...more] = other.leaves;
    if (!leaf || more.length || one.leaves.length || leaf.power !== 1) return form;
    if (!this.unit.has(leaf.site) || one.sums.length || other.sums.length) return form;
    if (this.numberOf(one) !== 1 || this.numberOf(other) !== -1) return form;
    return { terms: [{ factors: [], leaves: [{ ...leaf, complement: !leaf.complement }], sums: [] }] };
  }

  /** The number by which a term is multiplied; null where it is not the same constant everywhere. */
  numberOf({ factors }: Term): number | null {
    return factors.reduce<number | null>((product, f) => {
      const value = this.constant(f.tensor);
      return product === null || value === null ? null : product * value;
    }, 1);
  }

  /** An elementwise op on values. */
  private apply(op: string, values: readonly Named[]): Named {
    return elementwise(values, (tensors) => {
      const size = tensors.map((t) => t.shape).reduce((a, b) => a.map((n, i) => Math.max(n, b[i] ?? 1)), tensors[0]!.shape); // biome-ignore format: short
      const nodes = tensors.map((t) => t.broadcastTo(size).node);
      return new Tensor(this.trace, this.trace.builder.append(op, nodes));
    });
  }

  /** η where a tensor is Φ(η) = ½ + ½ erf(η / √2); null where it is not. */
  probit(tensor: Tensor, labels: readonly Label[]): Form | null {
    const found = this.affineOf("erf", tensor.node, labels);
    if (!found || Math.abs(Math.abs(found.slope) - 0.5) > 1e-9 || Math.abs(found.shift - 0.5) > 1e-9) return null;
    return scale(this.node(found.node, found.labels), scalar(this.like, Math.SQRT2 * Math.sign(found.slope)));
  }

  /** η where a tensor is σ(η) or 1 − σ(−η); null where it is not. */
  logit(tensor: Tensor, labels: readonly Label[]): Form | null {
    const found = this.affineOf("sigmoid", tensor.node, labels);
    if (!found || Math.abs(found.slope) !== 1 || found.shift !== (1 - found.slope) / 2) return null;
    return scale(this.node(found.node, found.labels), scalar(this.like, found.slope));
  }

  /** slope · f(node) + shift */
  private affineOf(
    f: "erf" | "sigmoid",
    node: Node,
    labels: readonly Label[],
  ): { slope: number; shift: number; node: Node; labels: readonly Label[] } | null {
    const { op, inputs } = node;
    if (op === f) return { slope: 1, shift: 0, node: inputs[0]!, labels };
    const moved = this.moved(node, labels);
    if (moved) return this.affineOf(f, inputs[0]!, moved);
    const [x, y] = inputs as [Node, Node];
    const number = (n: Node | undefined): number | null =>
      n?.op === "const"
        ? (n.attrs.value as number)
        : n?.op === "broadcast" || n?.op === "reshape"
          ? number(n.inputs[0])
          : null;
    if (op === "neg") {
      const of = this.affineOf(f, x, labels);
      return of && { ...of, slope: -of.slope, shift: -of.shift };
    }
    const [c, other] = number(y) !== null ? [number(y)!, x] : [number(x), y];
    if (c === null || !["add", "sub", "mul", "div"].includes(op)) return null;
    const of = this.affineOf(f, other, labels);
    if (!of) return null;
    if (op === "mul") return { ...of, slope: of.slope * c, shift: of.shift * c };
    if (op === "div") return other === x ? { ...of, slope: of.slope / c, shift: of.shift / c } : null;
    if (op === "add") return { ...of, shift: of.shift + c };
    return other === x ? { ...of, shift: of.shift - c } : { ...of, slope: -of.slope, shift: c - of.shift };
  }

  /** The matrices that a parameter is taken from, with the labels they are seen at: what stands below look-ups and copies. */
  peel(tensor: Tensor, labels: readonly Label[]): { tensor: Tensor; labels: readonly Label[] } {
    let [node, seen] = [tensor.node, labels];
    while (this.random.has(node)) {
      const [x, y] = node.inputs as [Node, Node];
      if (node.op === "gather") {
        const rank = y.shape.length;
        seen = [this.index(y, seen.slice(0, rank)), ...seen.slice(rank)];
      } else {
        const moved = this.moved(node, seen);
        const site = this.latents.get(node)?.site;
        if (site) throw new NotConjugate(`a matrix that must be known is "${site}"`);
        if (!moved) throw new NotConjugate(`a matrix is computed from a latent site by "${node.op}"`);
        seen = moved;
      }
      node = x;
    }
    return { tensor: this.tensor(node), labels: seen };
  }

  /** The labels of the operand of an op that only moves elements. */
  private moved({ op, inputs, attrs, shape }: Node, labels: readonly Label[]): Label[] | null {
    const x = inputs[0]!;
    if (op === "broadcast") return (attrs.dims as readonly number[]).map((d) => labels[d]!);
    if (op === "transpose") {
      const out: Label[] = [];
      for (const [i, p] of (attrs.permutation as readonly number[]).entries()) out[p] = labels[i]!;
      return out;
    }
    if (op === "slice") return (attrs.starts as readonly number[]).map((s, p) => (s ? this.offset(labels[p]!, s) : labels[p]!)); // biome-ignore format: short
    if (op === "reshape") return this.reshaped(shape, labels, x.shape);
    return null;
  }

  private offset(label: Label, by: number): Label {
    if (label.kind === "axis") return along(label.axis, label.offset + by);
    if (label.kind === "at") return { kind: "at", at: label.at + by };
    return { kind: "index", index: map(indexOf(this.like, label), (t) => t.add(by)) };
  }

  /** Labels of [from] for a reshape of it to [to]: sizes are matched group by group. */
  private reshaped(to: readonly number[], labels: readonly Label[], from: readonly number[]): Label[] {
    const zero: Label = { kind: "at", at: 0 };
    if (sizeOf(from) <= 1) return from.map(() => zero);
    const out: Label[] = [];
    let [i, j] = [0, 0];
    while (i < from.length || j < to.length) {
      if (from[i] === 1) {
        out.push(zero);
        i++;
        continue;
      }
      if (to[j] === 1) {
        j++;
        continue;
      }
      let [m, n] = [from[i]!, to[j]!];
      const [starts, ends] = [[i++], [j++]];
      while (m !== n) {
        if (m < n) {
          m *= from[i]!;
          starts.push(i++);
        } else {
          n *= to[j]!;
          ends.push(j++);
        }
      }
      const sources = starts.filter((p) => from[p] !== 1);
      const flat = ends.filter((p) => to[p] !== 1).reduce<Label | null>((major, p) => {
        const minor = labels[p]!;
        return major ? { kind: "pair", major, minor, size: to[p]! } : minor;
      }, null)!; // biome-ignore format: short
      const split = this.split(flat, sources.map((p) => from[p]!)); // biome-ignore format: short
      for (const p of starts) out.push(from[p] === 1 ? zero : split.shift()!);
    }
    return out;
  }

  /** One label of a flattened group as labels of its axes. */
  private split(label: Label, sizes: readonly number[]): Label[] {
    const last = sizes.at(-1)!;
    if (sizes.length === 1) return [label];
    if (label.kind === "pair" && label.size === last)
      return [...this.split(label.major, sizes.slice(0, -1)), label.minor];
    if (label.kind === "at") {
      return [...this.split({ kind: "at", at: Math.floor(label.at / last) }, sizes.slice(0, -1)), { kind: "at", at: label.at % last }]; // biome-ignore format: short
    }
    const whole = indexOf(this.like, label);
    const major = map(whole, (t) => t.div(last).floor());
    const minor = elementwise([whole, major], ([w, m]) => w!.sub(m!.mul(last)));
    return [...this.split({ kind: "index", index: major }, sizes.slice(0, -1)), { kind: "index", index: minor }];
  }

  /** Whether an index only counts along axes: what a plate takes its rows by. */
  private isOrder(node: Node): boolean {
    if (node.op === "iota" || node.op === "const") return true;
    return ["cast", "broadcast", "reshape"].includes(node.op) && this.isOrder(node.inputs[0]!);
  }

  /** The whole numbers that an index is, as a label. */
  index(node: Node, labels: readonly Label[]): Label {
    const { op, inputs, attrs } = node;
    const [x, y] = inputs as [Node, Node];
    const latent = this.latents.get(node);
    if (latent?.states) {
      const { axis } = this.gate(latent, labels);
      if (latent.states.every((s, i) => s === i)) return along(axis);
      return { kind: "index", index: { tensor: valuesAlong(this.like, latent.states), axes: [axis] } };
    }
    if (op === "cast" || op === "stopGradient" || op === "copy") return this.index(x, labels);
    if (op === "const") return { kind: "at", at: attrs.value as number };
    if (op === "iota") return labels[attrs.axis as number] ?? { kind: "at", at: 0 };
    const moved = this.moved(node, labels);
    if (moved) return this.index(x, moved);
    if (op === "gather" && this.random.has(node)) {
      const rank = y.shape.length;
      return this.index(x, [this.index(y, labels.slice(0, rank)), ...labels.slice(rank)]);
    }
    // Rows of a flattened table, as a batched gather addresses them: min(max(minor, 0), size − 1) + major · size.
    const size =
      op === "add" && y.op === "mul" && y.inputs[1]!.op === "const" ? (y.inputs[1]!.attrs.value as number) : 0;
    if (size && x.op === "minimum" && x.inputs[0]!.op === "maximum" && x.inputs[1]!.attrs.value === size - 1) {
      const major = this.index(y.inputs[0]!, labels);
      return { kind: "pair", major, minor: this.index(x.inputs[0]!.inputs[0]!, labels), size };
    }
    const form = this.node(node, labels);
    if (!isKnown(form)) throw new NotConjugate(`an index depends on the continuous ${leavesText(form)}`);
    return { kind: "index", index: collapse(form) };
  }

  private concat({ inputs, attrs }: Node, labels: readonly Label[]): Form {
    const p = attrs.axis as number;
    const label = labels[p]!;
    let start = 0;
    const parts = inputs.map((part) => {
      const from = start;
      start += part.shape[p]!;
      return { part, from, size: part.shape[p]! };
    });
    if (label.kind === "at") {
      const { part, from } = parts.find((q) => label.at < q.from + q.size)!;
      return this.node(part, labels.with(p, { kind: "at", at: label.at - from }));
    }
    // A piece counts where the index falls into it; outside it is looked at somewhere inside, and counts 0.
    const whole = indexOf(this.like, label);
    return choose(
      parts.map(({ part, from, size }) => {
        const one = map(whole, (t) =>
          t
            .ge(from)
            .cast("f64")
            .mul(t.lt(from + size).cast("f64")),
        );
        const clamped = () =>
          map(whole, (t) =>
            t
              .sub(from)
              .maximum(0)
              .minimum(size - 1),
          );
        const moved: Label = size === 1 ? { kind: "at", at: 0 } : { kind: "index", index: clamped() };
        return { where: one, form: this.node(part, labels.with(p, moved)) };
      }),
    );
  }

  private matmul({ inputs, attrs }: Node, labels: readonly Label[]): Form {
    const [a, b] = inputs as [Node, Node];
    const { transA, transB } = attrs as { transA: boolean; transB: boolean };
    const lead = labels.slice(0, -2);
    const [row, column] = labels.slice(-2) as [Label, Label];
    const axis = newAxis(a.shape.at(transA ? -2 : -1)!);
    const left = this.node(a, [...lead, ...(transA ? [along(axis), row] : [row, along(axis)])]);
    const right = this.node(b, [...lead, ...(transB ? [column, along(axis)] : [along(axis), column])]);
    return sumForm(times(left, right), [axis]);
  }
}

const castTo = (form: Form, dtype: "f64"): Form => ({
  terms: form.terms.map((t) => ({ ...t, factors: t.factors.map((f) => map(f, (x) => (x.dtype === dtype ? x : x.cast(dtype)))) })), // biome-ignore format: short
});

/** Whole numbers along one new axis. */
function valuesAlong(like: Tensor, states: readonly number[]): Tensor {
  const count = iota(like, [states.length], 0, "f64");
  return states[0] ? count.add(states[0]) : count;
}
