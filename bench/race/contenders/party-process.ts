import { startParty, type Party } from '../../../test/support/party.ts';

/** A `partykit dev` of its own for one contender. */
export class PartyProcess {
  readonly #entry: string;
  readonly #config: string;
  #server: Party | undefined;

  constructor(entry: string, config = 'bench/rooms/partykit.json') {
    this.#entry = entry;
    this.#config = config;
  }

  get server(): Party {
    if (this.#server === undefined) throw new Error(`${this.#entry} was not started.`);
    return this.#server;
  }

  async start(): Promise<void> {
    this.#server = await startParty({ entry: this.#entry, config: this.#config });
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
    this.#server = undefined;
  }
}
