import { InternalError } from "../../../base/errors.ts";
import { sizeOf } from "../../../base/shape.ts";
import { concat } from "../../../tensor/functions.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import type { SiteStatistics } from "../moments.ts";
import type { Block, State, Variable } from "./block.ts";
import { layoutOf } from "./layout.ts";

/** Several Gaussian sites laid end to end, as one vector for each element of the plates that they share. */
export interface Laid {
  /** The vector as a variable of its own, [...shared plates, n]; its name is no site's. */
  readonly whole: Variable;
  readonly members: readonly Member[];
}

interface Member {
  readonly variable: Variable;
  readonly offset: number;
  readonly size: number;
}

/** `variables` hold jointly all axes but the shared ones, which are the same positions of each. */
export function laid(variables: readonly Variable[]): Laid {
  let n = 0;
  const members = variables.map((variable): Member => {
    const offset = n;
    const { n: size } = layoutOf(variable);
    n += size;
    return { variable, offset, size };
  });
  const { batch } = layoutOf(variables[0]!);
  const site = variables.map((v) => v.site).join(", ");
  return { whole: { site, shape: [...batch, n], events: [batch.length] }, members };
}

/** A factor over the laid vector, seen as one over its sites: each has its part of the mean and its blocks of the covariance. */
export function seenAsSites({ whole, members }: Laid, block: Block): Block {
  const rank = whole.shape.length - 1;
  const sites = [...members.map((m) => m.variable.site), ...block.sites.filter((s) => s !== whole.site)];
  const part = (x: Tensor, axis: number, { offset, size }: Member) => x.narrow(axis, offset, size);
  const rest = { ...block };
  return {
    ...rest,
    name: sites.join(", "),
    sites,
    expected(state) {
      const found = block.expected(state);
      const all = found.sites[whole.site]!;
      if (all.kind !== "gaussian") throw new InternalError(`"${whole.site}" is no Gaussian`);
      return { ...found, sites: { ...found.sites, ...viewsOf(all, members, rank) } };
    },
    draw(state, key, count) {
      const { [whole.site]: rows, ...others } = block.draw(state, key, count);
      const own = members.map((m) => {
        const { wholeRows } = layoutOf(m.variable);
        return [m.variable.site, wholeRows(part(rows!, rank + 1, m))] as const;
      });
      return { ...Object.fromEntries(own), ...others };
    },
    logDensity:
      block.logDensity &&
      ((state, values) => {
        const parts = members.map(({ variable }) => layoutOf(variable).flat(values[variable.site]!));
        return block.logDensity!(state, { ...values, [whole.site]: concat(parts, rank) });
      }),
    meanOf(site, { mean }) {
      const member = members.find((m) => m.variable.site === site);
      return member ? meanOfMember(member, whole, mean!) : null;
    },
  };
}

function viewsOf(
  all: SiteStatistics & { kind: "gaussian" },
  members: readonly Member[],
  rank: number,
): Record<string, SiteStatistics> {
  const views: Record<string, SiteStatistics> = {};
  for (const [i, member] of members.entries()) {
    const { variable, offset, size } = member;
    const { single, batch, own, whole, spread } = layoutOf(variable);
    const rows = all.covariance.narrow(rank, offset, size);
    const cross: Record<string, Tensor> = {};
    for (const other of members.slice(i + 1)) {
      const { own: theirs } = layoutOf(other.variable);
      cross[other.variable.site] = rows.narrow(rank + 1, other.offset, other.size).reshape([...batch, ...own, ...theirs]); // biome-ignore format: one line
    }
    const { relativeTo } = all;
    views[variable.site] = {
      kind: "gaussian",
      mean: whole(all.mean.narrow(rank, offset, size)),
      covariance: spread(rows.narrow(rank + 1, offset, size)),
      events: variable.events,
      relativeTo: relativeTo && { site: relativeTo.site, positions: relativeTo.positions.map((p) => single[p]!) },
      before: null,
      group: { name: members.map((m) => m.variable.site).join(", "), offset, cross },
    };
  }
  return views;
}

/** One site's part of the laid mean, on the host, in the site's own shape. */
function meanOfMember({ variable, offset, size }: Member, whole: Variable, mean: Float64Array) {
  const { shape, events } = variable;
  const n = whole.shape.at(-1)!;
  const { single, own } = layoutOf(variable);
  const order = [...single, ...events];
  const sizes = order.map((p) => shape[p]!);
  const values = new Float64Array(sizeOf(shape));
  const strides = shape.map((_, p) => sizeOf(shape.slice(p + 1)));
  const inner = sizeOf(own);
  for (let flat = 0; flat < values.length; flat++) {
    let [rest, at] = [flat, 0];
    for (let d = sizes.length - 1; d >= 0; d--) {
      at += (rest % sizes[d]!) * strides[order[d]!]!;
      rest = Math.floor(rest / sizes[d]!);
    }
    values[at] = mean[Math.floor(flat / inner) * n + offset + (flat % size)]!;
  }
  return { shape, values };
}

export type { State };
