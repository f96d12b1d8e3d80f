import type { PartySocket } from 'partysocket';

/** The network of one side, which can be cut. A side that is cut stays cut when the page is reloaded. */
export class Network {
  readonly #key: string;
  readonly #listeners: (() => void)[] = [];
  #socket: PartySocket | undefined;
  #isCut: boolean;

  constructor(side: string) {
    this.#key = `board-network-${side}`;
    this.#isCut = sessionStorage.getItem(this.#key) === 'cut';
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  /** Requests go through here: without a network, they fail. */
  readonly fetch: typeof fetch = async (input, init) => {
    if (this.#isCut) throw new TypeError('The network of this side is cut.');
    return fetch(input, init);
  };

  connect(socket: PartySocket): void {
    this.#socket = socket;
  }

  cut(): void {
    this.#set(true);
    this.#socket?.close();
  }

  heal(): void {
    this.#set(false);
    this.#socket?.reconnect();
  }

  addListener(listener: () => void): void {
    this.#listeners.push(listener);
  }

  #set(isCut: boolean): void {
    this.#isCut = isCut;
    if (isCut) sessionStorage.setItem(this.#key, 'cut');
    else sessionStorage.removeItem(this.#key);
    for (const listener of this.#listeners) listener();
  }
}
