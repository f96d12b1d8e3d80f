/**
 * Returns the remaining lifetime of a token in milliseconds, at that time of this device. Undefined if the token is not a JWT with
 * the claim `exp`, or seems to have expired (RFC 7519, section 4.1.4).
 */
export function lifetimeOf(token: string, now: number): number | undefined {
  const [, payload = ''] = token.split('.');
  let claims: unknown;
  try {
    claims = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')));
  } catch {
    return undefined;
  }
  const end = numberIn(claims, 'exp');
  // The clock of this device may be behind the clock that made the token.
  const start = Math.max(now, (numberIn(claims, 'iat') ?? 0) * 1000);
  return end !== undefined && end * 1000 > start ? end * 1000 - start : undefined;
}

function numberIn(claims: unknown, name: string): number | undefined {
  if (typeof claims !== 'object' || claims === null) return undefined;
  const value: unknown = Reflect.get(claims, name);
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}
