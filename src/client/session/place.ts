import type { Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';
import type { Cursor } from '../../protocol/messages.ts';

/** What a client holds of its room, and can say hello with. */
export type Place =
  /** Nothing: the content has to be loaded. */
  | { readonly type: 'none' }
  /** The room was seen to have no Store. */
  | { readonly type: 'empty' }
  /** The base is the room's content at that cursor. */
  | { readonly type: 'base'; readonly cursor: Cursor }
  /** Content that was loaded, and is shown with the next welcome (JOIN-6). */
  | {
      readonly type: 'staged';
      readonly cursor: Cursor;
      readonly content: LeafMap<Leaf>;
      /** True if a single load asked for it: it is shown even if nothing is followed. */
      readonly isShown: boolean;
    }
  /** The room is TinyBase's own, which knows no hello: what is held is its content as far as anybody can tell (STOCK-4). */
  | { readonly type: 'stock'; readonly hasStore: boolean };

/** The place of whoever holds nothing. */
export const NO_PLACE: Place = { type: 'none' };

/** True if the room is known to have a Store. */
export function hasStore(place: Place): boolean {
  return place.type === 'stock' ? place.hasStore : cursorOf(place) !== undefined;
}

/** The cursor to say hello with, if there is one. */
export function cursorOf(place: Place): Cursor | undefined {
  return place.type === 'base' || place.type === 'staged' ? place.cursor : undefined;
}
