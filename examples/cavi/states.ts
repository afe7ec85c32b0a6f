// A level that wanders, seen through noise: both variances are learned, and the level is smoothed exactly, as one factor.
// Run: npx tsx examples/cavi/states.ts
import { cavi, gamma, model, normal, type Tensor } from "ansatz";

const level = model(({ sample, observe, chain }, { flow }: { flow: Tensor }) => {
  const steady = sample("steady", gamma(1, 100));
  const sharp = sample("sharp", gamma(1, 100));
  const first = sample("first", normal(1100, 100));
  chain("year", flow.shape[0]!, first, (before, t) => {
    const now = sample("level", normal(before, steady.pow(-0.5)));
    observe("flow", normal(now, sharp.pow(-0.5)), flow.at(t));
    return now;
  });
});

// Annual flow of the Nile at Aswan, 1871 to 1900 (Cobb 1978), 10^8 m³.
const flow = [
  1120, 1160, 963, 1210, 1160, 1160, 813, 1230, 1370, 1140, 995, 935, 1110, 994, 1020, 960, 1180, 799, 958, 1140, 1100, 1210, 1150,
  1250, 1260, 1220, 1030, 1100, 774, 840,
]; // biome-ignore format: numbers

const { elbo, sweeps, factors } = await cavi(level, { flow });
console.log(`bound ${elbo.toFixed(3)} nats after ${sweeps} sweeps`);
const means = factors.level!.parameters.mean!.values;
for (const t of [0, 9, 19, 29]) console.log(`${1871 + t}: ${means[t]!.toFixed(0)}`);
