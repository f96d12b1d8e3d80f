import { generateKeyPairSync, type KeyObject } from 'node:crypto';

import { goodClaims, makeToken } from './tokens.ts';

export const ISSUER = 'https://issuer.example';

/** A provider's pair of keys. */
export class ProviderKeys {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly #publicKey: KeyObject;

  constructor(kid: string) {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    this.kid = kid;
    this.privateKey = privateKey;
    this.#publicKey = publicKey;
  }

  get pem(): string {
    return String(this.#publicKey.export({ type: 'spki', format: 'pem' }));
  }

  get published(): Record<string, unknown> {
    return {
      ...this.#publicKey.export({ format: 'jwk' }),
      kid: this.kid,
      use: 'sig',
      alg: 'RS256',
    };
  }

  token(
    claims: Record<string, unknown> = {},
    header: Record<string, unknown> = { kid: this.kid, typ: 'JWT' },
  ): string {
    const { sub, iat, exp } = goodClaims();
    const ofOwn = { room: undefined, user: undefined, access: undefined };
    return makeToken({
      header,
      privateKey: this.privateKey,
      claims: {
        ...ofOwn,
        sub,
        iat,
        exp,
        iss: ISSUER,
        aud: 'app',
        email: 'ada@example.com',
        ...claims,
      },
    });
  }
}
