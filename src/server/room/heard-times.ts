import { isAhead } from './clock.ts';
import type { RoomConnection, RoomHost } from './room-host.ts';

/** The slot of the time at which a connection was heard. */
const HEARD_SLOT = 'heard';
/** The attached time may be so old. */
const HEARD_MILLISECONDS = 20_000;

/** The times at which a connection was heard. A time that lies in the future does not count: the clock was set back since. */
export class HeardTimes {
  readonly #connection: RoomConnection<unknown>;
  readonly #host: Pick<RoomHost<never>, 'now'>;
  #receivedTime = -Infinity;
  #keptTime: number | undefined;

  constructor(connection: RoomConnection<unknown>, host: Pick<RoomHost<never>, 'now'>) {
    this.#connection = connection;
    this.#host = host;
  }

  /** The time of its last message or ping; -Infinity if the room knows none. */
  get last(): number {
    return Math.max(this.#notAhead(this.#receivedTime), this.kept ?? -Infinity);
  }

  /** The time at which it was heard last, also before a hibernation; undefined if no feature asked to keep that. */
  get kept(): number | undefined {
    const { pingedAt = -Infinity } = this.#connection;
    const attached = this.#connection.readSlot(HEARD_SLOT);
    const heard = this.#keptTime ?? (typeof attached === 'number' ? attached : -Infinity);
    const latest = Math.max(this.#notAhead(heard), this.#notAhead(pingedAt));
    return latest === -Infinity ? undefined : latest;
  }

  /** Notes that a frame has come. */
  note(): void {
    this.#receivedTime = this.#host.now();
  }

  /** Keeps the time, and now and then attaches it. */
  keep(): void {
    const now = this.#host.now();
    this.#keptTime = now;
    const attached = this.#connection.readSlot(HEARD_SLOT);
    if (typeof attached === 'number' && Math.abs(now - attached) < HEARD_MILLISECONDS) return;
    this.#connection.writeSlot(HEARD_SLOT, now);
  }

  #notAhead(time: number): number {
    return isAhead(time, this.#host.now()) ? -Infinity : time;
  }
}
