/** Eigenvalues [k] and eigenvectors (columns, [k, k]) of a small symmetric matrix, by Jacobi's rotations. */
export function eigenOf(given: ArrayLike<number>, k: number): { values: Float64Array; vectors: Float64Array } {
  const a = Float64Array.from(given);
  const v = Float64Array.from({ length: k * k }, (_, i) => (i % (k + 1) === 0 ? 1 : 0));
  for (let sweep = 0; sweep < 30; sweep++) {
    let off = 0;
    for (let p = 0; p < k; p++) for (let q = p + 1; q < k; q++) off += Math.abs(a[p * k + q]!);
    if (off === 0) break;
    for (let p = 0; p < k; p++) {
      for (let q = p + 1; q < k; q++) {
        const apq = a[p * k + q]!;
        if (apq === 0) continue;
        const theta = (a[q * k + q]! - a[p * k + p]!) / (2 * apq);
        const t = Math.sign(theta || 1) / (Math.abs(theta) + Math.hypot(theta, 1));
        const c = 1 / Math.hypot(t, 1);
        const s = t * c;
        rotate(a, k, p, q, c, s, true);
        rotate(v, k, p, q, c, s, false);
        a[p * k + q] = 0;
        a[q * k + p] = 0;
      }
    }
  }
  return { values: Float64Array.from({ length: k }, (_, i) => a[i * k + i]!), vectors: v };
}

/** Columns p and q turned; of a symmetric matrix the rows too. */
function rotate(a: Float64Array, k: number, p: number, q: number, c: number, s: number, rows: boolean): void {
  for (let i = 0; i < k; i++) {
    const [x, y] = [a[i * k + p]!, a[i * k + q]!];
    a[i * k + p] = c * x - s * y;
    a[i * k + q] = s * x + c * y;
  }
  if (!rows) return;
  for (let i = 0; i < k; i++) {
    const [x, y] = [a[p * k + i]!, a[q * k + i]!];
    a[p * k + i] = c * x - s * y;
    a[q * k + i] = s * x + c * y;
  }
}
