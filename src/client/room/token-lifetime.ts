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
  const [, payload = ''] = token.split('.');
  let claims: unknown;
  try {
    claims = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')));
  } catch {
    return undefined;
  }
  const end = numberIn(claims, 'exp');
  const begin = numberIn(claims, 'iat') ?? 0;
  // The clock of this device may be behind the clock that made the token.
  const start = Math.max(now, begin * 1000);
  if (end === undefined || end * 1000 <= start) return undefined;
  return { rest: end * 1000 - start, whole: (end - begin) * 1000 };
}

function numberIn(claims: unknown, name: string): number | undefined {
  if (typeof claims !== 'object' || claims === null) return undefined;
  const value: unknown = Reflect.get(claims, name);
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}
