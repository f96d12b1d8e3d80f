import type { Row } from 'tinybase';

const common = { isPinned: false, by: 'the room' };

/** The notes of a new board, which tell what to try. */
export const FIRST_NOTES: Readonly<Record<string, Row>> = {
  drag: { ...common, text: 'Drag me by my bar.', x: 0.02, y: 0.02, createdAt: 1 },
  write: { ...common, text: 'Write here: each word travels.', x: 0.98, y: 0.02, createdAt: 2 },
  cut: {
    ...common,
    text: 'Cut a network, edit on both sides, heal it.',
    x: 0.03,
    y: 0.98,
    createdAt: 3,
  },
  pinned: {
    ...common,
    text: 'I am pinned. Try to move me.',
    x: 0.97,
    y: 0.98,
    isPinned: true,
    createdAt: 4,
  },
};
