import type {
  Caller,
  EventDeclaration,
  Outcome,
  Procedure,
} from '../../../protocol/events/event-types.ts';
import type { StandardSchema } from '../../../protocol/standard-schema.ts';
import { isThenable, type MaybePromise } from '../../room/maybe-promise.ts';

/** The function of a procedure. */
type Handler = (input: unknown, caller: unknown) => unknown;

/** Refuses members of an outcome that do not exist, such as `brodcast`. */
type Exact<Returned> = [Unknown<Awaited<Returned>>] extends [never]
  ? unknown
  : Returned extends Promise<unknown>
    ? Promise<Without<Unknown<Awaited<Returned>>>>
    : Without<Unknown<Returned>>;
type Unknown<Result> = Result extends object ? Exclude<keyof Result, keyof Outcome> : never;
type Without<Member extends PropertyKey> = { readonly [Name in Member]?: never };

/** The function of a procedure, as a method: so `caller` may be annotated with the connection of the host. */
type HandlerOf<Output, Returned> = {
  handle(input: Output, caller: Caller): Returned;
}['handle'];

/** Ends a procedure with its function. `Input` is what clients send, `Output` what the schema makes of it. */
export interface ProcedureBuilder<Input, Output> {
  /** The returned events go to everybody, including the caller. Their data stands by their names. */
  broadcast<Events extends object>(
    handler: HandlerOf<Output, MaybePromise<Events>>,
  ): Procedure<Input, { readonly broadcast: Events }>;
  /** The returned events go to the caller alone. Their data stands by their names. */
  self<Events extends object>(
    handler: HandlerOf<Output, MaybePromise<Events>>,
  ): Procedure<Input, { readonly self: Events }>;
  /**
   * The returned object says everything that is to happen: `broadcast`, `self` and `result`, each optional. The compiler knows the
   * whole returned type, so that each `return` may have an object of another type.
   */
  handle<Returned extends MaybePromise<Outcome | void>>(
    handler: HandlerOf<Output, Returned & Exact<Returned>>,
  ): Procedure<Input, Awaited<Returned>>;
}

/** Begins a procedure. Without `input`, it takes none. */
export interface ProcedureBeginning extends ProcedureBuilder<undefined, undefined> {
  /** Describes the input: a schema of zod, valibot, arktype, or any other Standard Schema, sync or async. */
  input<Input, Output>(schema: StandardSchema<Input, Output>): ProcedureBuilder<Input, Output>;
}

/** A procedure as the room runs it. */
export class DefinedProcedure implements Procedure<never, never> {
  readonly '~procedure' = undefined;
  readonly schema: StandardSchema | undefined;
  readonly run: Handler;

  constructor(schema: StandardSchema | undefined, run: Handler) {
    this.schema = schema;
    this.run = run;
  }
}

/** An event of the room's own code, as the room knows it. */
export class DeclaredEvent implements EventDeclaration<never> {
  readonly '~event' = undefined;
}

class Builder {
  readonly #schema: StandardSchema | undefined;

  constructor(schema: StandardSchema | undefined) {
    this.#schema = schema;
  }

  broadcast(handler: Handler): DefinedProcedure {
    return this.#end('broadcast', handler, (events) => ({ broadcast: events }));
  }

  self(handler: Handler): DefinedProcedure {
    return this.#end('self', handler, (events) => ({ self: events }));
  }

  handle(handler: Handler): DefinedProcedure {
    return this.#end('handle', handler, (outcome) => outcome);
  }

  #end(
    method: string,
    handler: Handler,
    outcomeOf: (returned: unknown) => unknown,
  ): DefinedProcedure {
    if (typeof handler !== 'function')
      throw new TypeError(`procedure.${method}() got no function: give it one.`);
    return new DefinedProcedure(this.#schema, (input, caller) => {
      const returned = handler(input, caller);
      return isThenable(returned) ? Promise.resolve(returned).then(outcomeOf) : outcomeOf(returned);
    });
  }
}

class Beginning extends Builder {
  constructor() {
    super(undefined);
  }

  input(schema: StandardSchema): Builder {
    if (typeof schema?.['~standard']?.validate !== 'function') {
      throw new TypeError(
        'procedure.input() cannot read its schema: give it a schema of zod, valibot, arktype, or another Standard Schema.',
      );
    }
    return new Builder(schema);
  }
}

/**
 * Makes a procedure, which clients call. End it with one of `broadcast`, `self` and `handle`.
 *
 * @example
 * ```ts
 * import { procedure } from 'tinybase-partykit/server/events';
 * import { z } from 'zod';
 *
 * export const wave = procedure.broadcast((_none, caller) => ({ waved: { by: caller.id } }));
 * export const double = procedure
 *   .input(z.object({ value: z.number() }))
 *   .handle(({ value }) => ({ result: value * 2 }));
 * ```
 */
export const procedure: ProcedureBeginning = makeBeginning();

function makeBeginning(): ProcedureBeginning;
function makeBeginning(): unknown {
  return new Beginning();
}

/** Declares an event that only the room's own code sends. `Data` is what comes with it. */
export function event(): EventDeclaration<undefined>;
export function event<Data>(): EventDeclaration<Data>;
export function event(): unknown {
  return new DeclaredEvent();
}
