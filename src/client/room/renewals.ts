/** The watchers of each room object. They are not in it, because apps need none: they call `enter` themselves. */
const watchers = new WeakMap<object, Set<() => void>>();

/** Calls back each time a room object gets a new persister, presence, events and socket. Returns a function that ends that. */
export function watchRenewals(room: object, watcher: () => void): () => void {
  const all = watchers.get(room) ?? new Set();
  watchers.set(room, all);
  all.add(watcher);
  return () => void all.delete(watcher);
}

/** Tells the watchers of a room object that it has other parts. */
export function tellRenewal(room: object): void {
  for (const watcher of watchers.get(room) ?? []) watcher();
}
