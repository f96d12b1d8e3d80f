const BYTES = 16;

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
    for (length += 8; length >= 6; length -= 6) id += digit((bits >> (length - 6)) & 63);
  }
  return id + digit((bits << (6 - length)) & 63);
}

/** Returns the digit of a number below 64: `A` to `Z`, `a` to `z`, `0` to `9`, `-` or `_`. */
function digit(value: number): string {
  if (value > 61) return value === 62 ? '-' : '_';
  return String.fromCharCode(value + (value < 26 ? 65 : value < 52 ? 71 : -4));
}
