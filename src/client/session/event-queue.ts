/** The pause before the next attempt while the app has a transaction open. */
export const BUSY_MILLISECONDS = 5;

/** The time for which a message waits for the Store until the app is told. */
const STUCK_MILLISECONDS = 10_000;

/** Events and messages that wait for their turn. Each is handled as a whole before the next one begins. */
export interface EventQueue<Event> {
  /** Events that wait, oldest first. */
  readonly waiting: readonly Event[];
  /** Handles nothing until {@link resume}. Everything keeps its order. */
  pause(): void;
  resume(): void;
  /** Forgets the events that wait, and resumes. */
  restart(): void;
  /** Adds an event of this device. It goes before all messages. */
  add(event: Event): void;
  /** Adds a message from outside. */
  addMessage(message: Event): void;
  /** Forgets the messages that wait, except those for which `isKept` returns true. */
  forget(isKept?: (message: Event) => boolean): void;
}

/**
 * Creates a queue. `first` is asked before each event, and may return an event that goes before it. If `handle` returns false, the
 * Store was busy and nothing changed: it gets the same event again later, and all others wait (VIEW-6). After a long wait, `onStuck` is
 * called, once.
 */
export function createEventQueue<Event>(
  after: (milliseconds: number, callback: () => void) => () => void,
  first: () => Event | undefined,
  handle: (event: Event) => boolean,
  onStuck: () => void,
): EventQueue<Event> {
  const waiting: Event[] = [];
  let messages: Event[] = [];
  let isRunning = false;
  let isPaused = false;
  /** True if an event of this device was the last that had to wait for the Store. */
  let isEventBlocked = false;
  let cancelRetry: (() => void) | undefined;
  let cancelStuck: (() => void) | undefined;
  const stopWaiting = (): void => {
    cancelRetry?.();
    cancelRetry = undefined;
  };
  const endStuck = (): void => {
    cancelStuck?.();
    cancelStuck = undefined;
  };
  const run = (): void => {
    if (isRunning) return;
    isRunning = true;
    try {
      while (true) {
        if (isPaused) return;
        const queue = waiting.length > 0 ? waiting : messages;
        const urgent = first();
        const event = urgent ?? queue.shift();
        if (event === undefined) return;
        if (!handle(event)) {
          if (urgent === undefined) queue.unshift(event);
          isEventBlocked = queue === waiting;
          cancelRetry ??= after(BUSY_MILLISECONDS, () => {
            cancelRetry = undefined;
            run();
          });
          cancelStuck ??= after(STUCK_MILLISECONDS, onStuck);
          return;
        }
        if (queue === messages || isEventBlocked) endStuck();
      }
    } finally {
      isRunning = false;
    }
  };
  return {
    waiting,
    pause: () => {
      isPaused = true;
    },
    resume: () => {
      isPaused = false;
      run();
    },
    restart: () => {
      waiting.length = 0;
      isPaused = false;
    },
    add: (event) => {
      waiting.push(event);
      run();
    },
    addMessage: (message) => {
      messages.push(message);
      run();
    },
    forget: (isKept = () => false) => {
      messages = messages.filter(isKept);
      if (messages.length > 0) return;
      stopWaiting();
      endStuck();
    },
  };
}
