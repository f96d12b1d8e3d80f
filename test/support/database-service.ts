/** A client of Postgres, such as `pg` or PGlite. */
interface Postgres {
  query(text: string, parameters: unknown[]): Promise<{ rows: unknown[] }>;
}

export const TABLE = `create table if not exists rooms (
  id text primary key, epoch text not null, version integer not null, content json not null
)`;

/** Answers GET and PUT of `/rooms/<id>`. */
export async function answer(request: Request, database: Postgres): Promise<Response> {
  const id = decodeURIComponent(new URL(request.url).pathname.slice('/rooms/'.length));
  if (request.method === 'GET') {
    const { rows } = await database.query('select content from rooms where id = $1', [id]);
    const row = rows[0] as { content: unknown } | undefined;
    return row === undefined ? new Response(null, { status: 404 }) : Response.json(row.content);
  }
  const { epoch, version, content } = (await request.json()) as Record<string, unknown>;
  // A save that arrives late does not replace a newer one.
  await database.query(
    `insert into rooms values ($1, $2, $3, $4)
      on conflict (id) do update set epoch = $2, version = $3, content = $4
      where rooms.epoch <> $2 or rooms.version <= $3`,
    [id, epoch, version, JSON.stringify(content)],
  );
  return new Response(null, { status: 204 });
}
