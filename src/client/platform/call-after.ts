/** Nearly the longest time that `setTimeout` accepts (HTML, section 8.7), 23 days. It takes a longer one for none. */
const LONGEST_MILLISECONDS = 2e9;

/** Calls back once, later, but after 23 days at the latest. Returns a function that prevents it. */
export function callAfter(milliseconds: number, callback: () => void): () => void {
  const timer = setTimeout(callback, Math.min(milliseconds, LONGEST_MILLISECONDS));
  return () => clearTimeout(timer);
}
