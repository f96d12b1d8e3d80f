import { fraction, type Point } from './point.ts';

/** Hears of a note that is moved. */
export interface MoveListener {
  /** Returns the point at which the note is. */
  at(): Point;
  /** The note is held, and has been dragged to a point. */
  dragged(to: Point): void;
  /** The note was let go. */
  dropped(to: Point): void;
  /** The note was moved with a key. */
  stepped(to: Point): void;
  /** The note was let go, and goes back to where it was. */
  cancelled(): void;
}

const STEP = 0.05;
const STEPS: Readonly<Record<string, Point>> = {
  ArrowLeft: { x: -STEP, y: 0 },
  ArrowRight: { x: STEP, y: 0 },
  ArrowUp: { x: 0, y: -STEP },
  ArrowDown: { x: 0, y: STEP },
};

/** Lets a note be dragged by its bar, and moved with the arrow keys while its handle has the focus. */
export function makeMovable(
  note: HTMLElement,
  bar: HTMLElement,
  handle: HTMLButtonElement,
  listener: MoveListener,
): void {
  let grip: { readonly from: Point; readonly pointer: Point } | undefined;
  let last: Point | undefined;

  bar.addEventListener('pointerdown', (event) => {
    const isOtherButton =
      event.target instanceof Element &&
      event.target.closest('button') !== null &&
      !handle.contains(event.target);
    if (event.button !== 0 || isOtherButton) return;
    bar.setPointerCapture(event.pointerId);
    grip = { from: listener.at(), pointer: { x: event.clientX, y: event.clientY } };
  });

  bar.addEventListener('pointermove', ({ clientX, clientY }) => {
    const board = note.parentElement;
    if (grip === undefined || board === null) return;
    last = within({
      x: grip.from.x + (clientX - grip.pointer.x) / (board.clientWidth - note.offsetWidth),
      y: grip.from.y + (clientY - grip.pointer.y) / (board.clientHeight - note.offsetHeight),
    });
    listener.dragged(last);
  });

  const end = (isDropped: boolean): void => {
    const to = last;
    grip = undefined;
    last = undefined;
    if (to === undefined) return;
    if (isDropped) listener.dropped(to);
    else listener.cancelled();
  };
  bar.addEventListener('pointerup', () => end(true));
  bar.addEventListener('pointercancel', () => end(false));

  handle.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') end(false);
    const step = STEPS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const { x, y } = listener.at();
    listener.stepped(within({ x: x + step.x, y: y + step.y }));
  });
}

/** Returns the nearest point of the board. */
function within({ x, y }: Point): Point {
  return { x: fraction(x), y: fraction(y) };
}
