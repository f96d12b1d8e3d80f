/** The signature of a command (`ADMIN-1`). The backend that signs it and the room that verifies it share this file. */

/** The end of the path of the endpoint. */
export const ADMIN_PATH = '/admin';
/** The header `typ` of a signature. It tells a signature from the token of a user. */
export const ADMIN_TOKEN_TYPE = 'room-admin+jwt';
/** The time for which a signature is valid. */
export const ADMIN_TOKEN_SECONDS = 60;

/** Returns the SHA-256 of a text in UTF-8, in hexadecimal digits. */
export async function sha256Of(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
