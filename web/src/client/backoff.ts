/** How long to wait before the next try. */

const FIRST_MS = 500;
const CEILING_MS = 20_000;

/**
 * Return a wait in milliseconds with full jitter: anything from 0 to a bound that doubles with
 * each failure, 0.5 s to 20 s. A thousand clients cut at once come back spread out.
 */
export function backoffMs(failures: number, random: () => number): number {
  const bound = Math.min(CEILING_MS, FIRST_MS * 2 ** Math.min(Math.max(failures, 0), 16));
  return random() * bound;
}
