import { createHmac, type KeyObject, sign } from 'node:crypto';

import { SECRET } from './token-secret.ts';

export { SECRET } from './token-secret.ts';

export const USER = { id: 'u1', name: 'Ada', role: 'editor' } as const;

const base64url = (part: unknown): string =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');

/** The parts of a token that a test makes by hand. */
export interface TokenParts {
  readonly header?: Readonly<Record<string, unknown>>;
  readonly claims?: Readonly<Record<string, unknown>>;
  /** The secret for HS256. */
  readonly secret?: string | Buffer;
  /** A private key for RS256 in place of it. */
  readonly privateKey?: KeyObject;
  /** In place of a signature that is right. */
  readonly signature?: string;
}

/** The claims of a token that is good for an hour from then on, in milliseconds. */
export const goodClaims = (now: number = Date.now()): Record<string, unknown> => ({
  aud: 'main',
  room: 'board',
  sub: USER.id,
  user: USER,
  access: 'write',
  iat: Math.floor(now / 1000),
  exp: Math.floor(now / 1000) + 3600,
});

/** Makes a token by hand, so that nothing of what is tested has to do it. A part that is undefined is left out. */
export const makeToken = ({
  header = {},
  claims = {},
  secret = SECRET,
  privateKey,
  signature,
}: TokenParts = {}): string => {
  const alg = privateKey === undefined ? 'HS256' : 'RS256';
  const signed = [
    base64url({ alg, typ: 'room-user+jwt', ...header }),
    base64url({ ...goodClaims(), ...claims }),
  ].join('.');
  const right =
    privateKey === undefined
      ? createHmac('sha256', secret).update(signed).digest('base64url')
      : sign('sha256', Buffer.from(signed), privateKey).toString('base64url');
  return `${signed}.${signature ?? right}`;
};
