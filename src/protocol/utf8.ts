/**
 * The length of a text in bytes of UTF-8, exact where it matters: a text that is certainly within `limit`, or
 * certainly beyond it, is not encoded to find out.
 */
export function utf8Length(text: string, limit: number): number {
  if (text.length * 3 <= limit || text.length > limit) return text.length;
  return new TextEncoder().encode(text).length;
}
