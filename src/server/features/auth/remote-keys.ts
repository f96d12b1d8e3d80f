import { createLocalJWKSet, createRemoteJWKSet, type JWTVerifyGetKey } from 'jose';

/** The time after a fetch in which unknown keys cause no other one: strangers may name any. */
const COOLDOWN_MILLISECONDS = 5_000;
/** The time after a fetch that has failed in which no other one begins, if no keys are known. */
const PAUSE_MILLISECONDS = 500;
/** Keys are fetched again after this time. */
const FRESH_MILLISECONDS = 600_000;
/** Known keys are used until this time has passed if they cannot be fetched again. */
const LONGEST_USE_MILLISECONDS = 3_600_000;
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
  end: 'fetched' | { readonly error: unknown; readonly time: number } | undefined;
}

/**
 * Returns the keys that a provider publishes at a URL. At most one fetch is under way for all rooms and guards of an isolate, however
 * many tokens come at once (`GATE-11`). No promise is shared for that: on Cloudflare Workers, none may wait for that of another
 * request. Those who wait look again and again.
 */
export function createRemoteKeys(url: URL): JWTVerifyGetKey {
  const remote = createRemoteJWKSet(url);
  let keys: JWTVerifyGetKey | undefined;
  let fetchedAt = 0;
  let isWarned = false;
  let current: Fetch | undefined;

  const load = async (): Promise<JWTVerifyGetKey> => {
    const own: Fetch = { begin: Date.now(), end: undefined };
    current = own;
    try {
      await remote.reload();
      const set = createLocalJWKSet(remote.jwks() ?? { keys: [] });
      keys = set;
      fetchedAt = Date.now();
      isWarned = false;
      own.end = 'fetched';
      return set;
    } catch (error) {
      own.end = { error, time: Date.now() };
      throw error;
    }
  };

  const loadTogether = async (): Promise<JWTVerifyGetKey> => {
    const other = current;
    const pauseAfterFailure = keys === undefined ? PAUSE_MILLISECONDS : COOLDOWN_MILLISECONDS;
    if (typeof other?.end === 'object' && isWithin(pauseAfterFailure, other.end.time))
      throw other.end.error;
    if (other === undefined || !isUnderWay(other)) return await load();
    let pause = FIRST_PAUSE_MILLISECONDS;
    while (isUnderWay(other)) {
      await wait(pause);
      pause = Math.min(2 * pause, LONGEST_PAUSE_MILLISECONDS);
    }
    if (typeof other.end === 'object') throw other.end.error;
    return other.end === 'fetched' && keys !== undefined ? keys : await loadTogether();
  };

  const knownKeys = async (): Promise<JWTVerifyGetKey> => {
    const known = isWithin(LONGEST_USE_MILLISECONDS, fetchedAt) ? keys : undefined;
    const isFetching = current !== undefined && isUnderWay(current);
    // Nobody waits for the request of another one if known keys will do.
    if (known !== undefined && (isFetching || isWithin(FRESH_MILLISECONDS, fetchedAt)))
      return known;
    try {
      return await loadTogether();
    } catch (error) {
      if (known === undefined) throw error;
      if (!isWarned) warn(url, error);
      isWarned = true;
      return known;
    }
  };

  return async (header, token) => {
    const known = await knownKeys();
    try {
      return await known(header, token);
    } catch (error) {
      if (!isUnknownKey(error) || isWithin(COOLDOWN_MILLISECONDS, fetchedAt)) throw error;
      const loaded = await loadTogether();
      return await loaded(header, token);
    }
  };
}

/** Tells the app's log of an outage that nobody notices yet. The query of the URL may be secret. */
function warn({ origin, pathname }: URL, error: unknown): void {
  // oxlint-disable-next-line no-console
  console.warn(
    `tinybase-partykit: the keys at ${origin}${pathname} cannot be fetched again. Known keys verify tokens for an hour after their last fetch.`,
    error,
  );
}

function isUnderWay({ begin, end }: Fetch): boolean {
  return end === undefined && isWithin(LONGEST_FETCH_MILLISECONDS, begin);
}

/** Returns true if that time is less than so many milliseconds ago. */
function isWithin(milliseconds: number, time: number): boolean {
  const passed = Date.now() - time;
  return passed >= 0 && passed < milliseconds;
}

function isUnknownKey(error: unknown): boolean {
  return error instanceof Error && Reflect.get(error, 'code') === NO_MATCHING_KEY;
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
