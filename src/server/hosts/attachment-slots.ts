import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { isRecord } from '../storage/json-shape.ts';

/** The key of the slots in what a host attaches to a socket. The app's state has a key of its own. */
const SLOTS_KEY = '__room';

type Slots = Readonly<Record<string, unknown>>;

/** Reads and writes all that is attached to a native socket: the host's part, the app's state and the slots. */
interface NativeAttachment {
  read(): unknown;
  write(attachment: unknown): void;
}

/**
 * Values that a room and its features attach to one socket, in addition to the app's state. Each has a slot of its own.
 * They survive hibernation. Memory has them, too: a slot that the host cannot keep lasts until the room sleeps.
 */
export class AttachmentSlots {
  readonly #native: NativeAttachment | undefined;
  readonly #onError: (error: unknown) => void;
  #slots: Slots;
  /** The JSON that should be attached; undefined without slots. */
  #json: string | undefined;
  /** False once the host refused to keep the slots, until it takes them again. */
  #isKept = true;

  /** @param connection the host's connection object. @param onError gets the error if the slots cannot be attached. */
  constructor(connection: object, onError: (error: unknown) => void) {
    this.#native = nativeAttachmentOf(connection);
    this.#onError = onError;
    this.#json = this.#readJson();
    this.#slots = parseSlots(this.#json);
  }

  /** Returns the value of a slot; undefined if it has none. */
  read(slot: string): unknown {
    return Object.hasOwn(this.#slots, slot) ? this.#slots[slot] : undefined;
  }

  /** Sets a slot to a value of JSON; `null` removes the slot. */
  write(slot: string, value: unknown): void {
    const { [slot]: _old, ...rest } = this.#slots;
    this.#slots = value === null ? rest : { ...rest, [slot]: value };
    this.#json = Object.keys(this.#slots).length === 0 ? undefined : JSON.stringify(this.#slots);
    this.restore();
  }

  /** Attaches the slots again if the app's `setState` removed them or restored older ones. */
  restore(): void {
    try {
      if (this.#readJson() === this.#json) return;
      const attached = this.#native?.read();
      const { [SLOTS_KEY]: _old, ...rest } = isRecord(attached) ? attached : {};
      this.#native?.write(this.#json === undefined ? rest : { ...rest, [SLOTS_KEY]: this.#json });
      this.#isKept = true;
    } catch (cause) {
      // Reports once, not with each message.
      if (this.#isKept) this.#onError(this.#errorOf(cause));
      this.#isKept = false;
    }
  }

  #readJson(): string | undefined {
    const attached = this.#native?.read();
    const json = isRecord(attached) ? attached[SLOTS_KEY] : undefined;
    return typeof json === 'string' ? json : undefined;
  }

  #errorOf(cause: unknown): TinyBasePartyKitError {
    const message =
      `The host cannot attach the room's ${this.#json?.length ?? 0} bytes to a connection. ` +
      'After a sleep of the room, its client has to join again. ' +
      'Make the state in connection.setState or the URL of the socket shorter.';
    return new TinyBasePartyKitError('too-large', message, { cause });
  }
}

/**
 * Finds the native methods of a socket. PartyKit and partyserver hide them behind their own, which only know the app's
 * state; the prototype still has the native ones.
 */
function nativeAttachmentOf(connection: object): NativeAttachment | undefined {
  const socket: unknown = Reflect.get(connection, 'socket');
  if (typeof socket !== 'object' || socket === null) return undefined;
  const prototype: unknown = Object.getPrototypeOf(socket);
  if (typeof prototype !== 'object' || prototype === null) return undefined;
  const read: unknown = Reflect.get(prototype, 'deserializeAttachment');
  const write: unknown = Reflect.get(prototype, 'serializeAttachment');
  if (typeof read !== 'function' || typeof write !== 'function') return undefined;
  return {
    read: (): unknown => Reflect.apply(read, socket, []),
    write: (attachment) => {
      Reflect.apply(write, socket, [attachment]);
    },
  };
}

function parseSlots(json: string | undefined): Slots {
  if (json === undefined) return {};
  try {
    const slots: unknown = JSON.parse(json);
    return isRecord(slots) ? slots : {};
  } catch {
    return {};
  }
}
