const WATCHED: readonly object[] = [
  Object.prototype,
  Array.prototype,
  String.prototype,
  Function.prototype,
  Map.prototype,
];

/** All that these have of their own, by name: the same afterwards, unless a prototype was polluted. */
export const ownOfPrototypes = (): readonly (readonly string[])[] =>
  WATCHED.map((prototype) => Object.getOwnPropertyNames(prototype).sort());
