import { createLocalJWKSet, createRemoteJWKSet, type JWTVerifyGetKey } from 'jose';

/** The time after a fetch in which unknown keys cause no other one: strangers may name any. */
const COOLDOWN_MILLISECONDS = 5_000;
/** The time after which a fetch that others wait for counts as dead: its request is gone. jose takes 5 s at most. */
const LONGEST_FETCH_MILLISECONDS = 6_000;
/** Those who wait for the fetch of another request look so often if it is there, and later more seldom. */
const FIRST_PAUSE_MILLISECONDS = 20;
const LONGEST_PAUSE_MILLISECONDS = 250;

/** The code of jose for a key set that has no such key. */
export const NO_MATCHING_KEY = 'ERR_JWKS_NO_MATCHING_KEY';

/** A fetch that has begun. */
interface Fetch {
  readonly begin: number;
  end: 'fetched' | { readonly error: unknown } | undefined;
}

/**
 * Returns the keys that a provider publishes at a URL. At most one fetch is under way for all rooms and guards of an isolate, however
 * many tokens come at once (`GATE-11`). No promise is shared for that: on Cloudflare Workers, none may wait for that of another
 * request. Those who wait look again and again.
 */
export function createRemoteKeys(url: URL): JWTVerifyGetKey {
  const remote = createRemoteJWKSet(url, { cooldownDuration: COOLDOWN_MILLISECONDS });
  let keys: JWTVerifyGetKey | undefined;
  let current: Fetch | undefined;

  const load = async (): Promise<JWTVerifyGetKey> => {
    const own: Fetch = { begin: Date.now(), end: undefined };
    current = own;
    try {
      await remote.reload();
      const set = createLocalJWKSet(remote.jwks() ?? { keys: [] });
      keys = set;
      own.end = 'fetched';
      return set;
    } catch (error) {
      own.end = { error };
      throw error;
    }
  };

  const loadTogether = async (): Promise<JWTVerifyGetKey> => {
    const other = current;
    if (other === undefined || !isUnderWay(other)) return await load();
    let pause = FIRST_PAUSE_MILLISECONDS;
    while (isUnderWay(other)) {
      await wait(pause);
      pause = Math.min(2 * pause, LONGEST_PAUSE_MILLISECONDS);
    }
    if (typeof other.end === 'object') throw other.end.error;
    return other.end === 'fetched' && keys !== undefined ? keys : await loadTogether();
  };

  return async (header, token) => {
    const known = keys !== undefined && remote.fresh ? keys : await loadTogether();
    try {
      return await known(header, token);
    } catch (error) {
      if (!isUnknownKey(error) || remote.coolingDown) throw error;
      // One that has failed does not count for jose.
      if (typeof current?.end === 'object' && isWithin(current, COOLDOWN_MILLISECONDS))
        throw current.end.error;
      const loaded = await loadTogether();
      return await loaded(header, token);
    }
  };
}

function isUnderWay(fetch: Fetch): boolean {
  return fetch.end === undefined && isWithin(fetch, LONGEST_FETCH_MILLISECONDS);
}

/** Returns true if a fetch has begun less than that time ago. */
function isWithin({ begin }: Fetch, milliseconds: number): boolean {
  const time = Date.now() - begin;
  return time >= 0 && time < milliseconds;
}

function isUnknownKey(error: unknown): boolean {
  return error instanceof Error && Reflect.get(error, 'code') === NO_MATCHING_KEY;
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
