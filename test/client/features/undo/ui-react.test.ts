import { createElement, useSyncExternalStore, type ReactElement } from 'react';
import { renderToString } from 'react-dom/server';
import { createStore } from 'tinybase';
import {
  BackwardCheckpointsView,
  CurrentCheckpointView,
  useRedoInformation,
  useUndoInformation,
} from 'tinybase/ui-react';
import { expect, test } from 'vitest';

import type { Undo } from '../../../../src/client/features/undo/index.ts';
import { observeForUndo } from '../../../../src/client/features/undo/undo-observer.ts';
import { Replica } from '../../../../src/client/replica/replica.ts';

function undoOf(): Undo {
  const replica = new Replica(createStore(), {
    onPending: () => undefined,
    onRefused: () => undefined,
    onError: () => undefined,
  });
  replica.startTracking();
  replica.setSaving(true);
  return observeForUndo(replica, () => 0).undo;
}

let click: { readonly undo: () => void; readonly redo: () => void };

function Buttons({ undo }: { readonly undo: Undo }): ReactElement {
  const [canUndo, goBackward, , undoLabel] = useUndoInformation(undo);
  const [canRedo, goForward, , redoLabel] = useRedoInformation(undo);
  click = { undo: goBackward, redo: goForward };
  const ids = useSyncExternalStore(
    (onChange) => {
      const id = undo.addCheckpointIdsListener(onChange);
      return () => undo.delListener(id);
    },
    () => undo.getCheckpointIds(),
    () => undo.getCheckpointIds(),
  );
  const text = `${canUndo} ${undoLabel}, ${canRedo} ${redoLabel}, ${JSON.stringify(ids)} `;
  return createElement(
    'p',
    {},
    text.replaceAll('"', ''),
    createElement(BackwardCheckpointsView, { checkpoints: undo, separator: '/', debugIds: true }),
    createElement(CurrentCheckpointView, { checkpoints: undo, debugIds: true }),
  );
}

test('the hooks and components of ui-react accept an undo', () => {
  const undo = undoOf();
  const store = undo.getStore();
  const show = (): string =>
    renderToString(createElement(Buttons, { undo })).replaceAll(/<.*?>/g, '');
  expect(show()).toBe('false , false , [[],0,[]] 0:{}');
  undo.transaction(() => store.setValue('open', true), 'Open');
  undo.transaction(() => store.setValue('open', false), 'Close');
  expect(show()).toBe('true Close, false , [[0,1],2,[]] 0:{}/1:{Open}2:{Close}');
  click.undo();
  expect(show()).toBe('true Open, true Close, [[0],1,[2]] 0:{}1:{Open}');
  click.undo();
  click.redo();
  expect([show(), store.getValue('open')]).toEqual([
    'true Open, true Close, [[0],1,[2]] 0:{}1:{Open}',
    true,
  ]);
});
