/** Draws of the first window, and how much longer each is than the one before. */
const FIRST = 5;
const GROWTH = 1.7;

/**
 * The iterations of a warm-up of `length` after which the metric is estimated anew, ascending: short windows first, because even
 * five draws with their gradients know the scales better than nothing does, each 1.7 times as long as the last. The last tenth of
 * the warm-up, at least 10 iterations and at most 50, is left to the step size, and the last window takes what would be too short
 * for another. A warm-up of fewer than 20 iterations adapts the step size alone.
 */
export function windowEnds(length: number): number[] {
  if (length < 20) return [];
  const stop = length - Math.max(10, Math.min(50, Math.floor(length / 10)));
  const ends: number[] = [];
  for (let size = FIRST, end = FIRST; end <= stop; ) {
    size *= GROWTH;
    const following = Math.round(end + size);
    ends.push(following > stop ? stop : end);
    end = following;
  }
  return ends;
}
