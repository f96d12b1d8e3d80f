import { ChangesBuilder } from '../../src/protocol/changes.ts';
import { encodeClientMessage } from '../../src/protocol/codec.ts';
import type { UniqueLeaves } from './edits.ts';
import type { ClientEnd, Network, Wire } from './network.ts';

/** The name of the thief, and of its user. */
export const THIEF = 'thief';
/** The table that the thief writes in, and nobody else. */
const LOOT = 'loot';

/** A user with a good token, who has got hold of the client ids of others, and of all that they say in a hello. */
export class Thief implements ClientEnd {
  readonly name: string = THIEF;
  /** The number of changes that it has made. */
  edits = 0;
  wire: Wire;
  readonly #network: Network;
  readonly #prefix: string;
  #hasLeft = false;

  constructor(network: Network, prefix: string) {
    this.#network = network;
    this.#prefix = prefix;
    this.wire = network.connect(this);
  }

  opened(): void {}

  /** It gives up. */
  leave(): void {
    this.#hasLeft = true;
    this.#network.closeByClient(this.wire);
  }

  closed(): void {
    if (this.#hasLeft) return;
    this.wire = this.#network.connect(this);
  }

  received(): void {}

  /** Says the last hello of somebody as if it were newer, and pushes what would be the next push of that client. */
  steal({ heardHellos, answeredPush }: Wire, unique: UniqueLeaves): void {
    const hello = [...heardHellos.values()].at(-1);
    if (hello === undefined || this.wire.clientState !== 'open') return;
    this.edits += 1;
    const generation = hello.generation + this.edits;
    const changes = new ChangesBuilder();
    changes.setLeaf(LOOT, 'r', 'c', unique.number());
    const number = Math.max(hello.nextPush, answeredPush + 1);
    this.#send({ ...hello, generation });
    this.#send({ type: 'push', number, changes });
  }

  #send(message: Parameters<typeof encodeClientMessage>[1]): void {
    this.#network.sendToRoom(this.wire, encodeClientMessage(this.#prefix, message));
  }
}
