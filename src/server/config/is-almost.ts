/** Names of this length may have two wrong letters. */
const LONG_NAME = 12;

/** Returns true for a name that is another one with a wrong letter, or with two if that is long. */
export function isAlmost(name: string, known: string): boolean {
  return isWithin(name, known, known.length < LONG_NAME ? 1 : 2);
}

/**
 * Returns true if at most so many letters are wrong. A letter is wrong if it is missing, one too many, another one, or exchanged with
 * the next. It is fast, because a room asks about all of its methods when it loads.
 */
export function isWithin(a: string, b: string, most: number): boolean {
  if (Math.abs(a.length - b.length) > most) return false;
  let at = 0;
  while (at < a.length && a[at] === b[at]) at += 1;
  if (at === a.length && at === b.length) return true;
  if (most === 0) return false;
  const [restA, restB] = [a.slice(at), b.slice(at)];
  return (
    isWithin(restA.slice(1), restB.slice(1), most - 1) ||
    isWithin(restA.slice(1), restB, most - 1) ||
    isWithin(restA, restB.slice(1), most - 1) ||
    (restA[0] === restB[1] &&
      restA[1] === restB[0] &&
      isWithin(restA.slice(2), restB.slice(2), most - 1))
  );
}
