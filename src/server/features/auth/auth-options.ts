import type { JSONWebKeySet, JWTVerifyGetKey } from 'jose';

import type { StandardSchema } from '../../../protocol/standard-schema.ts';
import type { Access } from '../../../protocol/user-token.ts';

/** The access that an app gives a user. `'none'` keeps the user out. */
export type AccessDecision = Access | 'none';

/** The environment of a room: variables, secrets and bindings. */
export type RoomEnvironment = Readonly<Record<string, unknown>>;

/** Decides what a user may do in a room. If it throws, the user stays out; a `TinyBasePartyKitError` keeps its code. */
export type AccessRule<User, Env> = (
  user: User,
  /** The room's id, as the app wrote it. */
  room: string,
  env: Env,
) => AccessDecision | Promise<AccessDecision>;

interface SharedOptions {
  /**
   * The origins of the pages that may use the room, such as `'https://app.example'`. Every page may by default. A request
   * without the header `Origin` does not come from a page of another origin, so it is allowed.
   */
  readonly origins?: readonly string[];
  /** The query parameter that holds the token if there is no header. `'token'` by default; clients use the same. */
  readonly parameter?: string;
}

/** Tokens of your own: signed with one secret by `createToken` of `tinybase-partykit/backend`. */
export interface SecretAuthOptions<UserInput, User, Env> extends SharedOptions {
  /** Describes the user in a token: a schema of zod, valibot, arktype, or any other Standard Schema, async ones too. */
  readonly user: StandardSchema<UserInput, User>;
  /** Returns the secret: a text of at least 32 bytes. With any other value the room lets nobody in. */
  readonly secret: (env: Env) => unknown;
  /** By default, a user may do what the token says. A rule can only narrow that. */
  readonly access?: AccessRule<User, Env>;
  readonly jwks?: undefined;
}

/** Tokens of a provider: signed with its private key, and verified with its published ones. */
export interface KeySetAuthOptions<User, Env> extends SharedOptions {
  /** Describes the claims of a token, including `sub`. Its output is the user. */
  readonly user: StandardSchema<unknown, User>;
  /** The provider's key set: its URL, the set itself, or a key function of jose. */
  readonly jwks: URL | string | JSONWebKeySet | JWTVerifyGetKey;
  /** The claim `iss` of the provider's tokens. */
  readonly issuer: string;
  /**
   * The claim `aud` of tokens that are meant for this app. Null if the provider sets none, as in the session tokens of
   * Clerk: then the room accepts every token of the issuer.
   */
  readonly audience: string | readonly string[] | null;
  /** Decides who may enter which room. It is required, because the provider does not know the rooms. */
  readonly access: AccessRule<User, Env>;
  readonly secret?: undefined;
}

/** Says who may enter a room, and what they may do there. */
export type AuthOptions<UserInput, User, Env> =
  | SecretAuthOptions<UserInput, User, Env>
  | KeySetAuthOptions<User, Env>;
