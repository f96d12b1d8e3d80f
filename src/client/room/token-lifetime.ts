/** The life of a token, in milliseconds. */
export interface TokenLife {
  /** The rest, at the time of this device. */
  readonly rest: number;
  /** All of it, by the clock that made the token; very long if the token does not tell. */
  readonly whole: number;
}

/**
 * Returns the life of a token at that time of this device. Undefined if the token is not a JWT with the claim `exp`, or seems to
 * have expired (RFC 7519, section 4.1.4).
 */
export function lifeOf(token: string, now: number): TokenLife | undefined {
  const end = numberIn(token, 'exp');
  const begin = numberIn(token, 'iat') ?? 0;
  // The clock of this device may be behind the clock that made the token.
  const start = Math.max(now, begin * 1000);
  if (end === undefined || end * 1000 <= start) return undefined;
  return { rest: end * 1000 - start, whole: (end - begin) * 1000 };
}

/** Returns the user whom a token names; undefined if it names none. A room knows only texts as users. */
export function userOf(token: string | undefined): string | undefined {
  const user = claimOf(token ?? '', 'sub');
  return typeof user === 'string' && user !== '' ? user : undefined;
}

/** Returns a claim of a token; undefined if the token is not a JWT, or lacks it. */
function claimOf(token: string, name: string): unknown {
  const [, payload = ''] = token.split('.');
  try {
    const claims: unknown = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')));
    return Reflect.get(Object(claims), name);
  } catch {
    return undefined;
  }
}

function numberIn(token: string, name: string): number | undefined {
  const claim = claimOf(token, name);
  return Number.isFinite(claim) ? Number(claim) : undefined;
}
