/**
 * The part of Standard Schema (https://standardschema.dev, version 1) that this package uses. The schemas of zod, valibot
 * and arktype have this shape. Types alone.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    /** For the compiler alone: nothing reads it. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** What a schema says of a value. */
type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** One thing that a schema does not accept. */
export interface SchemaIssue {
  /** For people. It may quote the value. */
  readonly message: string;
  /** Leads from the value to the part that it is about. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}
