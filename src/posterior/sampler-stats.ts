/** What a sampler says of each draw, [chains, draws] row-major. A method gives those that it has. */
export interface SamplerStats {
  /** Log density of the unconstrained draw, log-Jacobians included, up to the model's constant. */
  readonly logDensity?: ArrayLike<number>;
  readonly energy?: ArrayLike<number>;
  readonly stepSize?: ArrayLike<number>;
  /** Mean Metropolis acceptance probability along the trajectory. */
  readonly acceptance?: ArrayLike<number>;
  /** Depth of the tree. */
  readonly depth?: ArrayLike<number>;
  readonly leapfrogs?: ArrayLike<number>;
  /** 0 or 1. */
  readonly divergent?: ArrayLike<number>;
}

export type StatName = keyof SamplerStats;

interface Interchange {
  /** CmdStan's column, in the order of its columns. */
  readonly stan: string;
  /** ArviZ's variable in `sample_stats`, and its NumPy type. */
  readonly arviz: string;
  readonly type: "f64" | "i64" | "bool";
}

/** What other programs call them, in CmdStan's order. */
export const statNames: Readonly<Record<StatName, Interchange>> = {
  logDensity: { stan: "lp__", arviz: "lp", type: "f64" },
  acceptance: { stan: "accept_stat__", arviz: "acceptance_rate", type: "f64" },
  stepSize: { stan: "stepsize__", arviz: "step_size", type: "f64" },
  depth: { stan: "treedepth__", arviz: "tree_depth", type: "i64" },
  leapfrogs: { stan: "n_leapfrog__", arviz: "n_steps", type: "i64" },
  divergent: { stan: "divergent__", arviz: "diverging", type: "bool" },
  energy: { stan: "energy__", arviz: "energy", type: "f64" },
};

/** The statistics that there are, in CmdStan's order. */
export const presentStats = (stats: SamplerStats): [StatName, ArrayLike<number>][] =>
  (Object.keys(statNames) as StatName[]).flatMap((name) => {
    const values = stats[name];
    return values ? [[name, values] as [StatName, ArrayLike<number>]] : [];
  });
