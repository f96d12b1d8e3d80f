import type { Cell } from 'tinybase';

/** The cells of a connection in a room whose presence has no schema. */
export type AnyPresenceCells = Readonly<Record<string, Cell>>;

/** Carries the type of a room's presence to its clients. Has no value at run time. */
export interface TypesOfPresence<Cells> {
  /** For the compiler alone: nothing reads it. */
  readonly '~presence': Cells | undefined;
}

/** The cells that clients of a room set: those of the field of the room's class that has presence. */
export type PresenceCellsOf<Room> = [FieldCells<Room>] extends [never]
  ? AnyPresenceCells
  : FieldCells<Room>;

type FieldCells<Room> = {
  [Field in keyof Room]-?: Room[Field] extends TypesOfPresence<infer Cells> ? Cells : never;
}[keyof Room];
