/** Nodes and log weights for ∫ f(x) N(x; 0, 1) dx, by polynomials He_n, whose roots lie between those of He_{n−1}. */
export interface HermiteRule {
  readonly nodes: Float64Array;
  readonly logWeights: Float64Array;
}

const rules = new Map<number, HermiteRule>();

/** Orthonormal polynomials of N(0, 1): p_{k+1} √(k+1) = x p_k − √k p_{k−1}; p_n(x) and p_{n−1}(x). */
function orthonormal(n: number, x: number): [number, number] {
  let [before, now] = [0, 1];
  for (let k = 0; k < n; k++) [before, now] = [now, (x * now - Math.sqrt(k) * before) / Math.sqrt(k + 1)];
  return [now, before];
}

/** The rule of n nodes (Golub and Welsch's weights: 1 / (n p_{n−1}²)). */
export function hermiteRule(n: number): HermiteRule {
  const known = rules.get(n);
  if (known) return known;
  let roots: number[] = [];
  for (let k = 1; k <= n; k++) {
    const edge = 2 * Math.sqrt(k) + 1;
    const ends = [-edge, ...roots, edge];
    roots = Array.from({ length: k }, (_, i) => {
      let [low, high] = [ends[i]!, ends[i + 1]!];
      const sign = Math.sign(orthonormal(k, high)[0]);
      for (let s = 0; s < 80; s++) {
        const middle = 0.5 * (low + high);
        if (Math.sign(orthonormal(k, middle)[0]) === sign) high = middle;
        else low = middle;
      }
      return 0.5 * (low + high);
    });
  }
  const nodes = Float64Array.from(roots);
  const rule = { nodes, logWeights: nodes.map((x) => -Math.log(n) - 2 * Math.log(Math.abs(orthonormal(n, x)[1]))) };
  rules.set(n, rule);
  return rule;
}
