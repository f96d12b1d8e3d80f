const BYTES = 16;

/** Returns 128 random bits as 22 characters of base64url (RFC 4648, section 5), as the id of a client or an epoch. */
export function randomId(): string {
  const base64 = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(BYTES))));
  return base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
