/**
 * Returns the length of a text in bytes of UTF-8. If the text is certainly within `limit`, or certainly over it, the result is
 * only a lower bound on the same side of `limit`: such a text is not encoded.
 */
export function utf8Length(text: string, limit: number): number {
  if (text.length * 3 <= limit || text.length > limit) return text.length;
  return new TextEncoder().encode(text).length;
}
