import type { Peer } from './peer.ts';

/** The connections by client id, so that a hello need not look at all connections. */
export class ClientIndex<Connection> {
  readonly #peers = new Map<string, Set<Peer<Connection>>>();

  of(clientId: string): readonly Peer<Connection>[] {
    return [...(this.#peers.get(clientId) ?? [])];
  }

  add(clientId: string, peer: Peer<Connection>): void {
    const peers = this.#peers.get(clientId);
    if (peers === undefined) this.#peers.set(clientId, new Set([peer]));
    else peers.add(peer);
  }

  remove(clientId: string, peer: Peer<Connection>): void {
    const peers = this.#peers.get(clientId);
    peers?.delete(peer);
    if (peers?.size === 0) this.#peers.delete(clientId);
  }

  /** Forgets all connections but these: a host may never tell that one has left. */
  keep(open: ReadonlySet<Peer<Connection>>): void {
    for (const [clientId, peers] of this.#peers)
      for (const peer of peers) if (!open.has(peer)) this.remove(clientId, peer);
  }
}
