import type { Checkpoints } from 'tinybase';
import type { Checkpoints as CheckpointsWithSchemas, Store } from 'tinybase/with-schemas';
import { expectTypeOf, test } from 'vitest';

import { createUndo, type Undo } from '../../../../src/client/features/undo/index.ts';
import type { PartyKitPersister } from '../../../../src/client/index.ts';
import type { PartyKitPersister as PartyKitPersisterWithSchemas } from '../../../../src/client/with-schemas.ts';

type Schemas = [{ pets: { legs: { type: 'number' } } }, { open: { type: 'boolean' } }];

/** Compiled, and never run. */
function callWithSchemas(persister: PartyKitPersisterWithSchemas<Schemas>): Store<Schemas> {
  const undo = createUndo(persister, { mergeMilliseconds: 500 });
  const checkpoints: CheckpointsWithSchemas<Schemas> = undo;
  undo.transaction(() => undo.getStore().setCell('pets', 'fido', 'legs', 3), 'Legs');
  // @ts-expect-error There is no such cell.
  undo.getStore().setCell('pets', 'fido', 'color', 'red');
  return checkpoints.getStore();
}

/** Compiled, and never run. */
function callWithout(persister: PartyKitPersister): Undo {
  // @ts-expect-error There is no such option.
  createUndo(persister, { limit: 3 });
  return createUndo(persister);
}

test('an undo is a Checkpoints of TinyBase, with schemas and without', () => {
  expectTypeOf<Undo>().toExtend<Checkpoints>();
  expectTypeOf(callWithout).returns.toExtend<Checkpoints>();
  expectTypeOf(callWithSchemas).returns.toEqualTypeOf<Store<Schemas>>();
  expectTypeOf<ReturnType<Undo['transaction']>>().toBeUnknown();
});
