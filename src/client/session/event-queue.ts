/** The pause before the next attempt while the app has a transaction open. */
const BUSY_MILLISECONDS = 5;

/** The time for which a message waits for the Store until the app is told. */
const STUCK_MILLISECONDS = 10_000;

/** Events and messages that wait for their turn. Each is handled as a whole before the next one begins. */
export interface EventQueue<Event> {
  /** Events that wait, oldest first. */
  readonly waiting: readonly Event[];
  /** Handles nothing from now on, until {@link resume}. Everything keeps its order. */
  pause(): void;
  resume(): void;
  /** Forgets what waits because of {@link pause}, and resumes. */
  restart(): void;
  /** Adds an event of this device. It goes before all messages. */
  add(event: Event): void;
  /** Adds a message from outside. Messages keep their order, and wait while the Store is busy (VIEW-6). */
  addMessage(message: Event): void;
  /** Forgets the messages that wait, except those for which `isKept` returns true. */
  forget(isKept?: (message: Event) => boolean): void;
}

/**
 * Creates a queue. If `handle` returns false, the Store was busy and nothing changed: it gets the same message again. If that goes on
 * for long, `onStuck` is called, once.
 */
export function createEventQueue<Event>(
  after: (milliseconds: number, callback: () => void) => () => void,
  handle: (event: Event) => boolean,
  onStuck: () => void,
): EventQueue<Event> {
  const waiting: Event[] = [];
  let messages: Event[] = [];
  let isRunning = false;
  let isPaused = false;
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
        const event = waiting.shift();
        if (event !== undefined) {
          handle(event);
          continue;
        }
        const message = messages.shift();
        if (message === undefined) return;
        if (!handle(message)) {
          messages.unshift(message);
          cancelRetry ??= after(BUSY_MILLISECONDS, () => {
            cancelRetry = undefined;
            run();
          });
          cancelStuck ??= after(STUCK_MILLISECONDS, onStuck);
          return;
        }
        endStuck();
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
      if (isPaused) waiting.length = 0;
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
