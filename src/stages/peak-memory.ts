/** How much memory this process has used at most. */

/** Largest resident set since the process began, bytes. */
export function peakMemory(): number {
  return process.resourceUsage().maxRSS * 1024;
}
