/** Nodes and weights of the pair of rules with 7 and 15 nodes on [−1, 1] (Kronrod 1965; the digits are QUADPACK's). */
const HALF_NODES = [
  0.9914553711208126, 0.9491079123427585, 0.8648644233597691,
  0.7415311855993945, 0.5860872354676911, 0.4058451513773972,
  0.20778495500789848,
]; // biome-ignore format: a table
const HALF_WEIGHTS = [
  0.022935322010529224, 0.06309209262997856, 0.10479001032225019,
  0.14065325971552592, 0.1690047266392679, 0.19035057806478542,
  0.20443294007529889,
]; // biome-ignore format: a table
const HALF_GAUSS = [
  0, 0.1294849661688697, 0, 0.27970539148927664, 0, 0.3818300505051189, 0,
]; // biome-ignore format: a table

const mirrored = (half: readonly number[], middle: number, sign: 1 | -1): Float64Array =>
  Float64Array.from([...half.map((x) => sign * x), middle, ...[...half].reverse()]);

export const KRONROD_NODES = mirrored(HALF_NODES, 0, -1);
export const KRONROD_WEIGHTS = mirrored(HALF_WEIGHTS, 0.20948214108472782, 1);
/** The rule of Gauss at the same nodes: 0 where it has none. */
export const GAUSS_WEIGHTS = mirrored(HALF_GAUSS, 0.4179591836734694, 1);
