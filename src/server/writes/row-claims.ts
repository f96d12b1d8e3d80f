import type { TouchedRows } from './touched-rows.ts';

/** A change whose hooks are being asked, or wait for their turn. */
interface RowClaim {
  readonly rows: TouchedRows;
  /** Returns false once the change is dropped: then nothing waits for it. */
  readonly isWanted: () => boolean;
  /** Resolves when the change is decided. */
  readonly ended: Promise<void>;
}

/**
 * The rows of the changes that hooks are asked about. Changes of different connections are decided at the same time, but those that
 * touch the same row are decided one after the other. Otherwise one could undo the decision of another for ever (`HOOK-7`).
 */
export class RowClaims {
  readonly #claims = new Set<RowClaim>();

  /** Runs a decision when every earlier one about the same rows has ended. */
  async run<T>(rows: TouchedRows, isWanted: () => boolean, decide: () => Promise<T>): Promise<T> {
    const earlier: Promise<void>[] = [];
    for (const claim of this.#claims)
      if (claim.isWanted() && claim.rows.overlaps(rows)) earlier.push(claim.ended);
    let end: (() => void) | undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const claim = { rows, isWanted, ended };
    this.#claims.add(claim);
    try {
      await Promise.all(earlier);
      return await decide();
    } finally {
      this.#claims.delete(claim);
      end?.();
    }
  }
}
