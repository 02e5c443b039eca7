/** "Did you mean": the known name that a misspelt one is closest to. */

/**
 * Edits that turn `a` into `b`: insert, delete or replace a character, or swap two neighbours (optimal string
 * alignment distance). Time and memory grow with `a.length * b.length`: meant for names.
 */
export function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, rows[i - 2][j - 2] + 1);
      row.push(best);
    }
    rows.push(row);
  }
  return rows[a.length][b.length];
}

/** Names longer than this are not compared: no setting is that long, and the cost is quadratic. */
const MAX_NAME_CHARS = 64;

/**
 * The candidate closest to `name`, or undefined if none is near: more than a third of the letters (one at least) would
 * have to change. Case and the choice of `-` or `_` cost nothing.
 */
export function closest(name: string, candidates: readonly string[]): string | undefined {
  if (name.length > MAX_NAME_CHARS) return undefined;
  const plain = (text: string) => text.toLowerCase().replaceAll('-', '_');
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(plain(name), plain(candidate));
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}
