import { full, stack, where } from "../../../tensor/functions.ts";
import * as linalg from "../../../tensor/linalg.ts";
import { scan } from "../../../tensor/scan.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import type { GradientSite } from "../gradient-sites.ts";
import type { Block, State } from "./block.ts";

/** Shares of a whole step that are tried. */
const SHARES = [1, 0.5, 0.25, 0.1, 0.03, 0.01, 1e-3, 1e-4, 1e-6, 1e-8];
/** Precisions that are tried at the start. */
const PRECISIONS = [0.01, 0.1, 1, 10, 100, 1e4, 1e6, 1e8];

/**
 * A Gaussian factor that is found by natural gradient steps (Khan and Lin 2017): a whole step is the fixed point that a conjugate term
 * would have, S ← −2 ∇_V and m ← m + S⁻¹ ∇_m (Knowles and Minka 2011), and a share of it moves the natural parameters that far. Draws
 * are of the sites on their constrained scale.
 */
export function byGradient(block: Block, sites: readonly GradientSite[]): Block {
  const bent = sites.filter((s) => !s.identity);
  return {
    ...block,
    byGradient: true,
    draw(state, key, count) {
      const drawn: Record<string, Tensor> = { ...block.draw(state, key, count) };
      for (const { name, bijector } of bent) drawn[name] = bijector.forward(drawn[name]!);
      return drawn;
    },
    logDensity:
      block.logDensity &&
      ((state, values) => {
        const free: Record<string, Tensor> = { ...values };
        let jacobian: Tensor | null = null;
        for (const { name, bijector } of bent) {
          free[name] = bijector.inverse(values[name]!);
          const own = bijector.logJacobian(free[name], values[name]!).sum();
          jacobian = jacobian ? jacobian.add(own) : own;
        }
        const log = block.logDensity!(state, free);
        return jacobian ? log.sub(jacobian) : log;
      }),
  };
}

/** The best of the states that shares of a natural gradient step lead to; the state itself where all are worse. */
export function climbed(
  block: Block,
  state: State,
  wrt: State,
  gradients: State,
  bound: (state: State) => Tensor,
): State {
  return bestOf(state, SHARES, bound, (share) => block.damped!(state, wrt, gradients, share));
}

/** Means 0 with the precision that has the best bound. */
export function startOf(state: State, bound: (state: State) => Tensor): State {
  const unit = state.precision!.mul(0).add(linalg.identity(state.precision!, state.precision!.shape.at(-1)!));
  const at = (precision: Tensor): State => ({ mean: state.mean!.mul(0), precision: unit.mul(precision) });
  return bestOf(at(full(unit, [], 1, "f64")), PRECISIONS, bound, at);
}

/** The best of the states that come of some numbers; the state itself where none is better, or where the bound is not finite. */
export function bestOf(
  state: State,
  numbers: readonly number[],
  bound: (state: State) => Tensor,
  candidate: (x: Tensor) => State,
): State {
  const like = Object.values(state)[0]!;
  const worth = (s: State) => {
    const value = bound(s);
    return where<Tensor>(value.sub(value).eq(0), value, full(value, [], -1e308, "f64"));
  };
  const xs = stack(numbers.map((v) => full(like, [], v, "f64")));
  const { carry } = scan(
    { carry: { worth: worth(state), state: { ...state } as Record<string, Tensor> }, xs, length: numbers.length },
    (best, x) => {
      const next = candidate(x);
      const value = worth(next);
      const better = value.gt(best.worth);
      return {
        carry: {
          worth: where<Tensor>(better, value, best.worth),
          state: Object.fromEntries(
            Object.entries(best.state).map(([name, t]) => [name, where<Tensor>(better, next[name]!, t)]),
          ),
        },
      };
    },
  );
  return carry.state;
}
