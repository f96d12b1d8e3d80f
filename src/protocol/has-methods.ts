/** Returns true for an object with these methods: code without types may give anything. */
export function hasMethods(candidate: unknown, names: readonly string[]): boolean {
  return (
    typeof candidate === 'object' &&
    candidate !== null &&
    names.every((name) => typeof Reflect.get(candidate, name) === 'function')
  );
}
