/** The most notes on a board. */
export const MOST_NOTES = 60;
/** The most characters in a note. */
export const LONGEST_TEXT = 280;
/** The most characters in the id of a note. */
export const LONGEST_NOTE_ID = 40;
