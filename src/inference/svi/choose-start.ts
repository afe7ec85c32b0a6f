/** Steps by which starts are compared, and how many of them count: the last ones, whose mean bound it is. */
const TRIAL_STEPS = 60;
const JUDGED = 20;

/** What starts are tried by. */
export interface Trial {
  /** Brings all factors to a start; the same number gives the same one. */
  begin(restart: number): Promise<void>;
  /** The factors that last, as they are now. */
  kept(): readonly (readonly [string, Float64Array])[];
  /** One step, on the same batch from each start; returns the bound as the batch has it, in nats; −∞ where there is none. */
  step(index: number): Promise<number>;
}

/**
 * Brings the factors to the start, of several, from which the first steps lead furthest; returns the bounds by which that was judged,
 * none where all starts are the same one. Steps on batches keep what their start gave them as sweeps do: of topics, fits from single
 * starts end hundreds of nats apart.
 */
export async function chooseStart({ begin, kept, step }: Trial, restarts: number): Promise<readonly number[]> {
  await begin(0);
  if (restarts === 1) return [];
  const first = kept();
  await begin(1);
  if (kept().every(([, values], i) => values.every((x, j) => x === first[i]![1][j]))) return [];
  const bounds: number[] = [];
  for (let restart = 0; restart < restarts; restart++) {
    await begin(restart);
    bounds.push(await judged(step));
  }
  await begin(Math.max(0, bounds.indexOf(Math.max(...bounds))));
  return bounds;
}

async function judged(step: Trial["step"]): Promise<number> {
  let sum = 0;
  for (let i = 0; i < TRIAL_STEPS; i++) {
    const bound = await step(i);
    if (bound === -Infinity) return bound;
    if (i >= TRIAL_STEPS - JUDGED) sum += bound;
  }
  return sum / JUDGED;
}
