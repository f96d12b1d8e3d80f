import type { LeafMap } from '../../src/protocol/leaf-map.ts';
import type { Leaf } from '../../src/protocol/leaf.ts';
import type { LogEntry } from '../../src/server/storage/log-row.ts';
import type { Choices } from './choices.ts';
import { Disk } from './disk.ts';
import type { UniqueLeaves } from './edits.ts';
import { Http } from './http.ts';
import { Journal } from './journal.ts';
import { Middlebox } from './middlebox.ts';
import { Network } from './network.ts';
import { OTHER_ADDRESS, type Place } from './place.ts';
import { Rights } from './rights.ts';
import { RoomProcess } from './room-process.ts';
import { SimHooks } from './sim-hooks.ts';
import { plain } from './store-variants.ts';
import type { Traits } from './traits.ts';
import type { Source, World } from './world.ts';

/** Told in labels and traces. */
const NAME = 'other';

/** The surroundings of the other room. */
export interface OtherSurroundings {
  readonly world: World;
  readonly unique: UniqueLeaves;
  readonly traits: Traits;
  readonly randomId: () => string;
  /** Of the proxy on the way to it, which changes nothing. */
  readonly choices: Choices;
  readonly onEntry: (entry: LogEntry, before: LeafMap<Leaf>) => void;
}

/** A second room, to which clients move and from which they come back. Nothing happens to it but what they do. */
export class OtherRoom implements Place {
  readonly address: string = OTHER_ADDRESS;
  readonly room: RoomProcess;
  readonly disk: Disk;
  readonly hooks: SimHooks = new SimHooks('none', () => false);
  readonly gate: undefined = undefined;
  readonly http: Http;
  readonly network: Network;
  readonly unrecordedPushes: ReadonlySet<string> = new Set();

  constructor({ world, unique, traits, randomId, choices, onEntry }: OtherSurroundings) {
    const { prefix, limits, storageSizes, writeStyle, diskWeight, httpWeight } = traits;
    this.disk = new Disk(world, new Journal(onEntry), {
      name: NAME,
      prefix: '',
      diskWeight,
      writeStyle,
    });
    this.room = new RoomProcess(
      { prefix, variant: plain, limits, storageSizes, turnWeight: 0, diesOfPoison: false },
      {
        ...{ world, unique, randomId },
        disk: this.disk,
        hooks: this.hooks,
        rights: new Rights(prefix, () => false),
        gate: undefined,
        mutant: {},
        calls: undefined,
        database: undefined,
        alarms: undefined,
      },
    );
    const middlebox = new Middlebox(world, () => false, choices);
    this.http = new Http(world, httpWeight, this.room, middlebox, NAME);
    this.network = new Network(world, this.room, traits.networkWeight, NAME);
    this.room.attach(this.network, this.http);
  }

  get sources(): readonly Source[] {
    return [this.network, this.http, this.disk, this.room];
  }
}
