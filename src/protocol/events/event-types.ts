/** The types of procedures and events, for a room and its clients. This file has only types. */

/** A connection as every host has it. */
export interface Caller {
  /** The id of the client's PartySocket. The client chooses it. */
  readonly id: string;
}

/** Everything that a procedure makes happen. */
export interface Outcome {
  /** Events for everybody, including the caller: data by name. */
  readonly broadcast?: object | undefined;
  /** Events for the caller alone: data by name. */
  readonly self?: object | undefined;
  /** The result of the call. */
  readonly result?: unknown;
}

/**
 * A procedure that clients call. `Input` is what they send, undefined for nothing. `Result` is the {@link Outcome}, such
 * as `{ result: string; broadcast: { noteAdded: { id: string } } }`.
 */
export interface Procedure<Input, Result> {
  /** For the compiler alone: nothing reads it. */
  readonly '~procedure': ((input: Input) => Result) | undefined;
}

/** An event that only the room's own code sends. */
export interface EventDeclaration<Data> {
  /** For the compiler alone: nothing reads it. */
  readonly '~event': (() => Data) | undefined;
}

/** Procedures and events by the names of `Declared`. */
export type Declarations<Declared> = {
  readonly [Name in keyof Declared]: Procedure<never, unknown> | EventDeclaration<unknown>;
};

/** Carries the types of a room's events to its clients. Has no value at run time. */
export interface TypesOfEvents<Declared> {
  /** For the compiler alone: nothing reads it. */
  readonly '~events': (() => Declared) | undefined;
}

/** The declarations of a client that does not name its room: every name, and any data. */
interface AnyDeclarations {
  readonly [name: string]: Procedure<
    unknown,
    { readonly result: unknown; readonly broadcast: Readonly<Record<string, unknown>> }
  >;
}

/** The declarations of a room: those of the field of the room's class that has events. */
export type DeclarationsOf<Room> = unknown extends Room
  ? AnyDeclarations
  : [FieldDeclarations<Room>] extends [never]
    ? object
    : FieldDeclarations<Room>;

type FieldDeclarations<Room> = {
  [Field in keyof Room]-?: Room[Field] extends TypesOfEvents<infer Declared> ? Declared : never;
}[keyof Room];

/** The names of the procedures. */
export type ProcedureName<Declared> = {
  [Name in keyof Declared]: Declared[Name] extends Procedure<never, unknown> ? Name : never;
}[keyof Declared] &
  string;

/** The input of a procedure, as the arguments of its call. */
export type InputOf<Declared, Name extends keyof Declared> =
  Declared[Name] extends Procedure<infer Input, unknown> ? ArgumentOf<Input> : never;

/** The result of a procedure. */
export type ResultOf<Declared, Name extends keyof Declared> =
  Declared[Name] extends Procedure<never, infer Result> ? Member<Result, 'result'> : never;

/** The names of all events: those that procedures send, and those that are declared. */
export type EventName<Declared> = NameIn<Sources<Declared>>;

/** The data of an event. */
export type DataOf<Declared, Name extends string> = DataIn<Sources<Declared>, Name>;

/** The data of an event, as the arguments of a function that sends it. */
export type EventArguments<Declared, Name extends string> = ArgumentOf<DataOf<Declared, Name>>;

/** A value that may be left out if it may be undefined. */
type ArgumentOf<Data> = undefined extends Data ? [data?: Data] : [data: Data];

/** Objects with the data of events by name, one for each place that sends events. */
type Sources<Declared> = {
  [Name in keyof Declared]: Declared[Name] extends EventDeclaration<infer Data>
    ? { readonly [Event in Name]: Data }
    : Declared[Name] extends Procedure<never, infer Result>
      ? NonNullable<Member<Result, 'broadcast'> | Member<Result, 'self'>>
      : never;
}[keyof Declared];

/** The type of a member, in each part of a union that has it. */
type Member<Whole, Key extends PropertyKey> = Whole extends unknown
  ? Key extends keyof Whole
    ? Whole[Key]
    : undefined
  : never;

type NameIn<Source> = Source extends unknown ? keyof Source & string : never;

type DataIn<Source, Name extends string> = Source extends unknown
  ? Name extends keyof Source
    ? Required<Source>[Name]
    : never
  : never;
