import { Replica } from '../../../src/client/replica/replica.ts';
import { FeatureAccess } from '../../../src/server/room/feature-access.ts';
import { Delivery } from '../../../src/server/room/delivery.ts';
import type { Peer } from '../../../src/server/room/peer.ts';
import { Peers } from '../../../src/server/room/peers.ts';
import { RoomFeatures } from '../../../src/server/room/room-features.ts';
import type { Standing } from '../../../src/server/room/room-feature.ts';
import type { Patches } from '../patches.ts';
import type { Traits } from '../traits.ts';
import { PLAIN, type Mutation } from './mutation.ts';

const ENDING: Partial<Traits> = { ...PLAIN, adversities: ['tokens-end'] };
const SLOW: Partial<Traits> = { ...PLAIN, adversities: ['slow-gate'] };
const STOLEN: Partial<Traits> = { ...PLAIN, adversities: ['stolen-ids'] };
const READING: Partial<Traits> = { ...PLAIN, adversities: ['readers'] };

/** Sends a frame, and looks at no grant. */
function tellAll({ connection }: Peer<unknown>, frame: string): void {
  connection.send(frame);
}

/** Returns also the sockets that the gate has not let in. */
function everybody(this: Peers<unknown>): readonly Peer<unknown>[] {
  return this.all();
}

function tellOnly(
  this: FeatureAccess<unknown, unknown>,
  ...parameters: Parameters<FeatureAccess<unknown, unknown>['tell']>
): void {
  this.tell(...parameters);
}

/** Takes sockets of which the gate says one thing for sockets that it has let in. */
function letIn(patches: Patches, such: Standing): void {
  patches.replace(
    RoomFeatures.prototype,
    'check',
    (check) =>
      function lenient(this: RoomFeatures<unknown, unknown>, connection) {
        const answer = check.call(this, connection);
        return answer === such ? 'admitted' : answer;
      },
  );
}

/**
 * The mutations of GATE. Of the other rules, GATE-1 to GATE-4, GATE-10 and GATE-11 are about tokens, headers and answers that
 * these histories do not have.
 */
export const GATE_MUTATIONS: readonly Mutation[] = [
  {
    title: '[GATE-5] [GATE-7] whose token has ended is told what others are told',
    make: () => ({ traits: ENDING }),
    patch: (patches) => patches.replace(Delivery.prototype, 'deliver', () => tellAll),
  },
  {
    title: '[GATE-5] [SEAM-2] who is being verified is told what others are told',
    make: () => ({ traits: SLOW }),
    patch: (patches) => {
      patches.replace(Delivery.prototype, 'deliver', () => tellAll);
      patches.replace(Peers.prototype, 'open', () => everybody);
    },
  },
  {
    title: '[GATE-6] a socket whose grant is lost counts as let in',
    make: () => ({ traits: SLOW }),
    patch: (patches) => letIn(patches, 'unknown'),
  },
  {
    title: '[GATE-7] a token that has ended counts',
    make: () => ({ traits: ENDING }),
    patch: (patches) => letIn(patches, 'expired'),
  },
  {
    title: '[GATE-8] [SEAM-6] what somebody pushes who may only read counts',
    make: () => ({ traits: READING }),
    patch: (patches) => patches.replace(RoomFeatures.prototype, 'mayWrite', () => () => true),
  },
  {
    title: '[PART-3] who may only read goes on showing a push in parts that was refused',
    make: () => ({ traits: { ...READING, limits: { framePushBytes: 100 } } }),
    patch: (patches) => patches.replace(Replica.prototype, 'discardLocal', () => () => true),
  },
  {
    title: '[GATE-9] [ADMIN-2] who is thrown out is told so, and stays',
    make: () => ({ traits: ENDING }),
    patch: (patches) => patches.replace(FeatureAccess.prototype, 'refuse', () => tellOnly),
  },
  {
    title: '[GATE-12] whoever has a client id is that client',
    make: () => ({ traits: STOLEN }),
    patch: (patches) =>
      patches.replace(RoomFeatures.prototype, 'clientIdOf', () => (_caller, id) => id),
  },
];
