/** Opens a connection to the room of a test: what it hears goes to the function, what it says to the returned one. */
type OpenRoom = (hear: (frame: string) => void) => (frame: string) => void;

/** As much of a PartySocket as a documented page needs. It leads to the room that a test has put into the global `roomOfThisTest`. */
export class PartySocket extends EventTarget {
  readonly id = 'ada';
  readonly name = 'main';
  readonly room = 'my-board';
  readonly roomUrl = 'ws://room.test/parties/main/my-board';
  readonly partySocketOptions = { host: 'room.test', room: 'my-board' };
  readonly shouldReconnect = true;
  readyState = 0;
  #say: (frame: string) => void = () => undefined;

  constructor() {
    super();
    queueMicrotask(() => {
      const open = Reflect.get(globalThis, 'roomOfThisTest') as OpenRoom;
      this.readyState = 1;
      this.#say = open((frame) => {
        queueMicrotask(() => this.dispatchEvent(new MessageEvent('message', { data: frame })));
      });
      this.dispatchEvent(new Event('open'));
    });
  }

  send(frame: string): void {
    queueMicrotask(() => this.#say(frame));
  }

  reconnect(): void {}

  close(): void {}
}
