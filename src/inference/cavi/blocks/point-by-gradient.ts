import { sizeOf } from "../../../base/shape.ts";
import { gradient } from "../../../program/program.ts";
import { full } from "../../../tensor/functions.ts";
import * as linalg from "../../../tensor/linalg.ts";
import { Tensor } from "../../../tensor/tensor.ts";
import { vmap } from "../../../transforms/vmap.ts";
import type { GradientSite } from "../gradient-sites.ts";
import type { Block, Variable } from "./block.ts";
import { bestOf } from "./by-gradient.ts";
import { symmetric } from "./layout.ts";

/** Parameters up to this size are moved by Newton steps, others along the slope. */
const MOST_NEWTON = 256;
/** What is added to the curvature, in units of its size (Levenberg 1944). */
const DAMPING = [0, 1e-3, 0.01, 0.1, 1, 10, 100, 1e4, 1e6, 1e9];
/** Lengths of steps along the slope, of the element that moves most. */
const LENGTHS = [1, 0.3, 0.1, 0.03, 0.01, 1e-3, 1e-4, 1e-5, 1e-6, 1e-8];

/**
 * A parameter that is estimated, its M step by gradients: on the unconstrained scale damped Newton steps, of which the best for the bound
 * is taken, none where all are worse (a generalised EM step).
 */
export function pointByGradient({ site, shape: own }: Variable, { bijector, shape, point }: GradientSite): Block {
  const n = sizeOf(shape);
  return {
    name: site,
    sites: [site],
    family: "point",
    state: { value: point! },
    expected: ({ value }) => {
      const u = bijector.inverse(value!);
      const covariance = full(u, own, 0, "f64");
      return {
        sites: { [site]: { kind: "gaussian", mean: u, covariance, events: [], relativeTo: null, before: null } },
        wrt: { u },
        entropy: full(value!, [], 0, "f64"),
      };
    },
    update: (state) => state,
    ascend(state, { u }, joint, bound) {
      const slope = gradient(joint, [u!])[0]!;
      if (n > MOST_NEWTON) {
        const steepest = slope.div(slope.abs().max().maximum(1e-300));
        return bestOf(state, LENGTHS, bound, (length) => ({ value: bijector.forward(u!.add(steepest.mul(length))) }));
      }
      const curvature = symmetric(hessian(slope, u!, n)).neg();
      const unit = linalg.identity(curvature, n).mul(curvature.abs().max().maximum(1e-300));
      const column = slope.reshape([n, 1]);
      return bestOf(state, DAMPING, bound, (damping) => {
        const root = linalg.cholesky(curvature.add(unit.mul(damping)));
        return { value: bijector.forward(u!.add(linalg.choleskySolve(root, column).reshape(shape))) };
      });
    },
    draw: ({ value }, _key, count) => ({ [site]: value!.broadcastTo([count, ...point!]) }),
    expectedLog: null,
    averaged: null,
    logDensity: null,
  };
}

/** The derivative of a slope by u, [n, n]: one gradient, vectorised over directions. */
function hessian(slope: Tensor, u: Tensor, n: number): Tensor {
  const { trace } = slope;
  // A node of its own, so that nothing else is vectorised.
  const direction = slope.of(trace.builder.append("stopGradient", [full(slope, slope.shape, 1, "f64").node], { of: `direction of ${u.node.id}` })); // biome-ignore format: one line
  const product = gradient(slope.mul(direction).sum(), [u])[0]!;
  const units = linalg.identity(slope, n).reshape([n, ...slope.shape]);
  const [rows] = vmap(trace, [product.node], new Map([[direction.node, units.node]]), n);
  return new Tensor(trace, rows!).reshape([n, n]);
}
