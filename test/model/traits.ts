import type { Leaf } from '../../src/protocol/leaf.ts';
import { VALUES } from '../../src/protocol/leaf.ts';
import { LeafMap } from '../../src/protocol/leaf-map.ts';
import type { RoomLimits } from '../../src/server/room/room-options.ts';
import type { StorageSizes } from '../../src/server/storage/storage-sizes.ts';
import { ADVERSITIES, ADVERSITY_NAMES, type Adversity } from './adversities.ts';
import type { Choices } from './choices.ts';
import { PAIR_CELLS, PAIR_TABLE, type UniqueLeaves } from './edits.ts';
import type { HookStyle } from './sim-hooks.ts';
import {
  CLIENT_VARIANTS,
  COMPETING_VARIANTS,
  plain,
  ROOM_VARIANTS,
  type StoreVariant,
} from './store-variants.ts';

/**
 * When writes settle: on disk, and nothing tells so beside; or so, and storage has a `sync` as well; or earlier, and the host
 * holds back what is sent meanwhile, as that of a Durable Object does.
 */
export type WriteStyle = 'on disk' | 'on disk, with sync' | 'early';

const WRITE_STYLES: readonly WriteStyle[] = ['on disk', 'on disk, with sync', 'early'];

/** What one history is like, whatever happens in it. */
export interface Traits {
  readonly prefix: string;
  readonly roomVariant: StoreVariant;
  readonly hookStyle: HookStyle;
  readonly limits: Partial<RoomLimits>;
  readonly storageSizes: Partial<StorageSizes>;
  readonly clients: readonly {
    readonly variant: StoreVariant;
    readonly isPersistent: boolean;
    readonly seed: LeafMap<Leaf> | undefined;
    readonly isSeedInStore: boolean;
  }[];
  readonly stockPeers: number;
  /** How often the room's own code does something. */
  readonly roomEditWeight: number;
  /** How often the room's process and its disk fail; 0: never. */
  readonly faultWeight: number;
  /** How often sockets are cut and tabs closed; 0: never. */
  readonly cutWeight: number;
  /** True: single frames get lost, as hosts lose them when another socket fails while they send. */
  readonly isLeaky: boolean;
  /** True: leaves so large that checkpoints come, and rows in parts. */
  readonly isHeavy: boolean;
  /** True: there are leaves that the room cannot read. */
  readonly hasUnreadable: boolean;
  /** True: the host answers pings, and the room hears nothing of them. */
  readonly answersPings: boolean;
  /** True: everybody has joined before anything else happens. */
  readonly isWarm: boolean;
  /** How eagerly sockets, HTTP and the disk work. */
  readonly networkWeight: number;
  readonly httpWeight: number;
  readonly diskWeight: number;
  readonly writeStyle: WriteStyle;
  /** How eagerly the event loop of the room's host turns; 0: it needs no turns. */
  readonly turnWeight: number;
  /** The adversities of this world. */
  readonly adversities: readonly Adversity[];
}

/** Of a hundred histories, so many have each adversity that is on. */
const ADVERSE_PERCENT = 15;

/** So that a room of a few rows has pages, and checkpoints of several writes come often. */
export const SMALL_SIZES: StorageSizes = {
  page: 40,
  slice: 60,
  smallestCheckpoint: 200,
  smallestRetention: 150,
};

/** So little that a user who is quick gets beyond it. */
const TIGHT_BUDGET: Partial<RoomLimits> = {
  messagesPerSecond: 2,
  messageBurst: 8,
  waitingMessages: 4,
};

/** So little that a reader who stops for a while gets beyond it. */
const SMALL_UNREAD: Partial<RoomLimits> = { unreadLength: 1_500 };

/** So little that a few rows fill it. */
export const SMALL_CONTENT = { contentBytes: 1_500 } as const;

/** Draws what a history is like. */
export function drawTraits(choices: Choices, unique: UniqueLeaves): Traits {
  const isHeavy = choices.percent(4);
  const isLeaky = choices.percent(12);
  const isPlain = choices.percent(35);
  const plainOf = (variants: readonly StoreVariant[]): StoreVariant =>
    variants.find(({ name }) => name === 'plain') ?? choices.pick(variants);
  return {
    prefix: choices.pick(['', '', 'x:']),
    roomVariant: isPlain ? plainOf(ROOM_VARIANTS) : choices.pick(ROOM_VARIANTS),
    hookStyle: choices.pick(['none', 'none', 'none', 'none', 'prompt', 'slow', 'slow', 'wild']),
    limits: drawLimits(choices, isHeavy),
    storageSizes: choices.percent(50) ? SMALL_SIZES : {},
    clients: Array.from({ length: 2 + choices.below(3) }, () => ({
      variant: isPlain ? plainOf(CLIENT_VARIANTS) : choices.pick(CLIENT_VARIANTS),
      isPersistent: choices.percent(35),
      seed: choices.percent(60) ? drawSeed(choices, unique) : undefined,
      isSeedInStore: choices.percent(40),
    })),
    stockPeers: choices.percent(20) ? 1 + choices.below(2) : 0,
    roomEditWeight: choices.pick([0.2, 0.6, 0.6, 2]),
    faultWeight: choices.pick([0, 0.3, 1, 1, 1, 3]),
    cutWeight: choices.pick([0, 1, 1, 1, 1, 3]),
    isLeaky,
    answersPings: !isLeaky && choices.percent(40),
    isHeavy,
    isWarm: choices.percent(60),
    networkWeight: choices.pick([1, 3, 8]),
    httpWeight: choices.pick([1, 4, 10]),
    diskWeight: choices.pick([1, 4, 15]),
    hasUnreadable: choices.percent(15),
    turnWeight: choices.pick([0, 2, 10]),
    writeStyle: choices.pick(WRITE_STYLES),
    // Drawn of those that are off as well, so that switching one on changes no other history.
    adversities: ADVERSITY_NAMES.filter((name) => {
      const isDrawn = choices.percent(ADVERSE_PERCENT);
      return isDrawn && ADVERSITIES[name].isOn;
    }),
  };
}

/** The same traits, such that there is something to be seen of their adversities. */
export function withAdversities(traits: Traits): Traits {
  const has = (...adversities: Adversity[]): boolean =>
    adversities.some((adversity) => traits.adversities.includes(adversity));
  const { hookStyle, limits } = traits;
  return {
    ...traits,
    hookStyle: has('hooks-write', 'hooks-depend') && hookStyle === 'none' ? 'slow' : hookStyle,
    clients: has('competing-listeners') ? traits.clients.map(compete) : traits.clients,
    limits: {
      ...limits,
      ...(has('floods') && TIGHT_BUDGET),
      ...(has('slow-readers') && SMALL_UNREAD),
      ...(has('small-content') && SMALL_CONTENT),
    },
    // A stock peer of the simulation loads nothing: it knows of content that came after it, and after the gate let it in. It
    // never leaves.
    stockPeers: has('loaded-elsewhere', 'slow-gate', 'alarms') ? 0 : traits.stockPeers,
  };
}

function compete(client: Traits['clients'][number], index: number): Traits['clients'][number] {
  return { ...client, variant: COMPETING_VARIANTS[index % COMPETING_VARIANTS.length] ?? plain };
}

function drawLimits(choices: Choices, isHeavy: boolean): Partial<RoomLimits> {
  if (isHeavy) return { framePushBytes: 100_000, frameLength: choices.pick([150_000, 8_000_000]) };
  return {
    framePushBytes: choices.pick([100, 250, 10_000]),
    pushBytes: choices.pick([450, 10_000, 10_000]),
    frameLength: choices.pick([600, 100_000, 100_000]),
  };
}

/** Initial content, with everybody's name on it. */
function drawSeed(choices: Choices, unique: UniqueLeaves): LeafMap<Leaf> {
  const seed = new LeafMap<Leaf>();
  const number = unique.number();
  if (choices.percent(80)) for (const cell of PAIR_CELLS) seed.set(PAIR_TABLE, 'p', cell, number);
  if (choices.percent(50)) seed.set('t', 'r', 'a', unique.number());
  if (choices.percent(50)) seed.set('t', 'r', 'b', `s${unique.number()}`);
  if (choices.percent(50)) seed.set(VALUES, '', 'v', unique.number());
  return seed;
}
