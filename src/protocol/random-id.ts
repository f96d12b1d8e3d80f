const BYTES = 16;
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/**
 * Returns 128 random bits as 22 characters of base64url (RFC 4648, section 5), as the id of a client or an epoch. Where the
 * platform has no `crypto.getRandomValues`, they come from `Math.random`: unique all the same, but not secret.
 */
export function randomId(): string {
  const bytes = new Uint8Array(BYTES);
  const platform: { readonly crypto?: Partial<Pick<Crypto, 'getRandomValues'>> } = globalThis;
  if (platform.crypto?.getRandomValues !== undefined) platform.crypto.getRandomValues(bytes);
  else for (let index = 0; index < BYTES; index += 1) bytes[index] = Math.random() * 256;
  let id = '';
  let bits = 0;
  let length = 0;
  for (const byte of bytes) {
    bits = ((bits & 63) << 8) | byte;
    for (length += 8; length >= 6; length -= 6) id += DIGITS[(bits >> (length - 6)) & 63] ?? '';
  }
  return id + (DIGITS[(bits << (6 - length)) & 63] ?? '');
}
