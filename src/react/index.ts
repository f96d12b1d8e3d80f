/**
 * Hooks for React. TinyBase's `ui-react` shows the Stores; these hooks have what it lacks.
 *
 * @module
 */
'use client';
export { createRoomHooks, type RoomHooks, type RoomProviderProps } from './room-hooks.ts';
export { usePartyKitPersister } from './use-party-kit-persister.ts';
export type { PersisterOptions } from './persister-options.ts';
export { useRefusalListener, type PersisterWithRefusals } from './use-refusal-listener.ts';
export { useUndo, type UndoState } from './use-undo.ts';
export { useSync, type PersisterWithSync } from './use-sync.ts';
export { TinyBasePartyKitError, type ErrorCode } from '../protocol/errors.ts';
