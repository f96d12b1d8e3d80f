import { expect, test } from 'vitest';

import { PREFIX, ScriptedRoom, SECOND } from '../client/session/scripted-room.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { HostileInput } from './hostile-input.ts';
import { ownOfPrototypes } from './prototypes.ts';

const INPUTS = Number(process.env['FUZZ_INPUTS'] ?? 20_000);
const INPUTS_A_CLIENT = 500;
const LETTERS = ['w', 'c', 'a', 'o', 'e', 's'] as const;

test(
  `a client lives through ${INPUTS} hostile frames, and finds its room again after`,
  async () => {
    const random = seededRandom();
    const prototypes = ownOfPrototypes();
    try {
      for (let done = 0; done < INPUTS; done += INPUTS_A_CLIENT) {
        const input = new HostileInput(random);
        const room = new ScriptedRoom();
        await room.live([{ pets: { fido: { species: 'dog' } } }, {}]);
        for (let index = 0; index < INPUTS_A_CLIENT; index++) {
          const frame = input.frame(index);
          const letter = random.pick(LETTERS);
          // As it is, or as something that a room says.
          const text =
            typeof frame === 'string' && random.below(4) > 0 ? letter + frame.slice(1) : frame;
          room.session.received(typeof text === 'string' ? PREFIX + text : text);
          if (index % 50 === 0) room.store.setValue('mine', index);
        }
        expect(ownOfPrototypes()).toEqual(prototypes);
        const { phase } = room.session.sync;
        // What a room may say for good: that another version or connection took over.
        if (phase === 'stopped') continue;
        room.close();
        room.gets.waiting.length = 0;
        await room.time.pass(60 * SECOND);
        room.moveToAnotherRoom();
        room.open();
        await room.answerGet(1, [{}, { other: 'room' }], 'f');
        expect(room.store.getContent()).toEqual([{}, { other: 'room' }]);
      }
    } catch (error) {
      throw new Error(`SEED=${random.seed}`, { cause: error });
    }
  },
  120_000 + INPUTS * 20,
);
