/**
 * The costs of messages for floods (FLOOD-1). The room charges them, and a client paces itself by the same (FLOOD-6). The rate
 * is that of the room's welcome.
 */

/** A longer message counts as several: one for each part of this length, in characters. */
export const LENGTH_OF_ONE: number = 16 * 1024;

/** So many pushes that are not the first of their frame count as one message. */
export const JOINED_OF_ONE = 8;
