/** Methods replaced for a while, of real classes: for rules that no double outside of them can break. */
export class Patches {
  readonly #undo: (() => void)[] = [];

  /** `make` gets the method as it is, and returns what takes its place until {@link Patches.undo}. */
  replace<T extends object, K extends keyof T>(
    prototype: T,
    name: K,
    make: (original: T[K]) => T[K],
  ): void {
    const original = prototype[name];
    prototype[name] = make(original);
    this.#undo.push(() => {
      prototype[name] = original;
    });
  }

  undo(): void {
    for (const undo of this.#undo.splice(0).toReversed()) undo();
  }
}
