import type { JWTPayload } from 'jose';

import { isTellable, TinyBasePartyKitError } from '../../../protocol/errors.ts';
import { assertKnownOptions } from '../../../protocol/known-options.ts';
import type { StandardSchema } from '../../../protocol/standard-schema.ts';
import { coversRoom, type Access, type TypesOfUsers } from '../../../protocol/user-token.ts';
import { NEEDS_GATE } from '../../room/room-feature.ts';
import { validate } from '../validation.ts';
import type {
  AccessDecision,
  AuthOptions,
  KeySetAuthOptions,
  RoomEnvironment,
  SecretAuthOptions,
} from './auth-options.ts';
import { assertOrigin, tokenOf, type AuthRequest } from './auth-request.ts';
import { assertKeepable, type Grant } from './grant.ts';
import { claimsOf } from './token-claims.ts';
import {
  createKeySetVerifier,
  createSecretVerifier,
  type TokenVerifier,
} from './token-verifier.ts';

/** The room that a request wants to enter. */
export interface AuthContext {
  /** The name of the party, as in the URL. */
  readonly party: string;
  /** The id of the room, decoded. */
  readonly room: string;
  /** The environment that the host gives the room: variables, secrets and bindings. */
  readonly env: unknown;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** The rules for who may enter the rooms of an app. {@link defineAuth} makes them; a room and its edge share them. */
export interface Auth<User, UserInput = User> extends TypesOfUsers<User, UserInput> {
  /** The query parameter that holds the token. */
  readonly parameter: string;
  /** The origins of pages that may use the rooms; undefined if every page may. */
  readonly origins: ReadonlySet<string> | undefined;
  /**
   * Verifies the token of a request. Rejects with the `TinyBasePartyKitError` that refuses it: `unauthorized`, `forbidden`,
   * `expired`, `too-large`, `unavailable`, or the error of the app's own access rule. If something is wrong in the room
   * itself, it rejects with `failed`; its cause is only for the app's own log.
   */
  verify(request: AuthRequest, context: AuthContext): Promise<Grant<User>>;
}

/**
 * Defines who may enter the rooms of an app, and what they may do there. Use a `secret` of your own, or the key set
 * (`jwks`) of a provider. Throws a `TypeError` that names the wrong option.
 *
 * @example
 * ```ts
 * import { defineAuth } from 'tinybase-partykit/server/auth';
 * import { z } from 'zod';
 *
 * export const auth = defineAuth({
 *   secret: (env) => env['AUTH_SECRET'],
 *   user: z.object({ id: z.string(), name: z.string() }),
 * });
 * ```
 */
export function defineAuth<UserInput extends { readonly id: string }, User, Env = RoomEnvironment>(
  options: SecretAuthOptions<UserInput, User, Env>,
): Auth<User, UserInput>;
export function defineAuth<User, Env = RoomEnvironment>(
  options: KeySetAuthOptions<User, Env>,
): Auth<User, unknown>;
// Compilers explain the last overload. With this one, they name the option that is wrong.
export function defineAuth<UserInput extends { readonly id: string }, User, Env = RoomEnvironment>(
  options: AuthOptions<UserInput, User, Env>,
): Auth<User, UserInput>;
export function defineAuth<UserInput, User>(
  options: AuthOptions<UserInput, User, unknown>,
): Auth<User, UserInput> {
  assertKnownOptions('defineAuth', options, options?.jwks === undefined ? OWN : OF_PROVIDER);
  const { user: schema, access, parameter = 'token' } = options;
  if (typeof schema?.['~standard']?.validate !== 'function') {
    throw new TypeError(
      'defineAuth cannot read the option user: give it a schema of zod, valibot, arktype, or another Standard Schema.',
    );
  }
  if (typeof parameter !== 'string' || parameter === '')
    throw new TypeError('defineAuth got an empty parameter: give the option parameter a name.');
  const verifier = createVerifier(options);
  const origins = originSetOf(options.origins);
  const isOwn = options.jwks === undefined;

  const grant = async (request: AuthRequest, context: AuthContext): Promise<Grant<User>> => {
    assertOrigin(request, origins);
    const token = tokenOf(request, parameter);
    const payload = await verifier(token, context.env, context.now);
    const claims = claimsOf(payload, context.now);
    const widest = isOwn ? accessOfToken(payload, context) : 'write';
    const user = await userOf(schema, isOwn ? payload['user'] : payload);
    const decided = access === undefined ? widest : await access(user, context.room, context.env);
    return { ...claims, user, access: narrowest(widest, decided) };
  };

  return Object.assign<Auth<User, UserInput>, object>(
    {
      '~users': undefined,
      parameter,
      origins,
      verify: async (request, context) => {
        try {
          return await grant(request, context);
        } catch (cause) {
          if (isTellable(cause)) throw cause;
          throw new TinyBasePartyKitError(
            'failed',
            'The room failed to verify the token: its log says why.',
            { cause },
          );
        }
      },
    },
    { [NEEDS_GATE]: true },
  );
}

/** Every option with a secret; the compiler complains if one is missing. */
const OWN: Readonly<Record<keyof SecretAuthOptions<unknown, unknown, unknown>, true>> = {
  user: true,
  secret: true,
  access: true,
  jwks: true,
  origins: true,
  parameter: true,
};

/** Those with a key set. With a secret, an issuer or audience would not be checked. */
const OF_PROVIDER: Readonly<Record<keyof KeySetAuthOptions<unknown, unknown>, true>> = {
  ...OWN,
  issuer: true,
  audience: true,
};

function createVerifier<User>(options: AuthOptions<unknown, User, unknown>): TokenVerifier {
  const { secret, jwks, access } = options;
  if ((secret === undefined) === (jwks === undefined))
    throw new TypeError('defineAuth needs either the option secret or the option jwks, not both.');
  if (access !== undefined && typeof access !== 'function')
    throw new TypeError('defineAuth cannot use the option access: give it a function.');
  if (jwks === undefined) {
    if (typeof secret === 'function') return createSecretVerifier(secret);
    throw new TypeError('defineAuth cannot use the option secret: give it a function of env.');
  }
  const { issuer, audience } = options;
  if (access === undefined) {
    throw new TypeError(
      'defineAuth has the option jwks without access: add the option access, because tokens of a provider name no room.',
    );
  }
  if (typeof issuer !== 'string' || issuer === '')
    throw new TypeError(
      'defineAuth has the option jwks without issuer: set the option issuer to the claim "iss".',
    );
  const audiences = typeof audience === 'string' ? [audience] : audience;
  if (audiences !== null && !isListOfTexts(audiences)) {
    throw new TypeError(
      'defineAuth has the option jwks without audience: set the option audience to the claim "aud", or to null if the provider sets none.',
    );
  }
  return createKeySetVerifier({ jwks, issuer, audience: audiences });
}

/** Returns the access that a token of `createToken` gives in this room. Throws the error that refuses it. */
function accessOfToken({ aud, room, access }: JWTPayload, context: AuthContext): Access {
  if (aud !== context.party || typeof room !== 'string' || !coversRoom(room, context.room)) {
    throw new TinyBasePartyKitError(
      'forbidden',
      'The token is for another room: get one for this room and party.',
    );
  }
  if (access === 'write' || access === 'read') return access;
  throw new TinyBasePartyKitError(
    'unauthorized',
    'The token does not say what its user may do: its claim "access" has to be "write" or "read".',
  );
}

async function userOf<User>(schema: StandardSchema<unknown, User>, claim: unknown): Promise<User> {
  const validation = await validate(schema, claim);
  if (validation.type === 'invalid') {
    throw new TinyBasePartyKitError(
      'unauthorized',
      `The user of the token does not fit the schema of the room: look at ${validation.paths}.`,
    );
  }
  assertKeepable(validation.value);
  return validation.value;
}

/** Returns the narrower access. Throws if the app's rule returned anything but a decision: then the user stays out. */
function narrowest(widest: Access, decided: AccessDecision): Access {
  switch (decided) {
    case 'write':
      return widest;
    case 'read':
      return 'read';
    case 'none':
      throw new TinyBasePartyKitError('forbidden', 'This user may not enter this room.');
    default:
      throw new TypeError("The option access of defineAuth has to give 'write', 'read' or 'none'.");
  }
}

function originSetOf(origins: readonly string[] | undefined): ReadonlySet<string> | undefined {
  if (origins === undefined) return undefined;
  if (!isListOfTexts(origins))
    throw new TypeError('defineAuth needs a list in the option origins.');
  for (const origin of origins) {
    const written = URL.canParse(origin) ? new URL(origin).origin : undefined;
    if (written === origin) continue;
    throw new TypeError(
      `defineAuth cannot use "${origin}" in the option origins: write scheme, host and port alone, such as ${written ?? 'https://app.example'}.`,
    );
  }
  return new Set(origins);
}

function isListOfTexts(list: unknown): list is readonly string[] {
  return (
    Array.isArray(list) &&
    list.length > 0 &&
    list.every((text) => typeof text === 'string' && text !== '')
  );
}
