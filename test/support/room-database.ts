import { createServer, type IncomingMessage, type Server } from 'node:http';

import { PGlite } from '@electric-sql/pglite';

import { answer, TABLE } from './database-service.ts';
import { freePort } from './free-port.ts';

/** A real Postgres behind HTTP, which a test stops and starts. It notes what rooms ask of it. */
export class RoomDatabase {
  readonly port: number;
  readonly #database: PGlite;
  #server: Server | undefined;
  /** The requests, in order: `GET <id>`, `PUT <id> <how> <version>`, and what `/log/<id>` was told. */
  readonly #log: [id: string, what: string][] = [];
  /** The statuses of the next answers to saves: of that room, or of any. */
  readonly #failures: { readonly status: number; readonly id: string | undefined }[] = [];

  private constructor(port: number, database: PGlite) {
    this.port = port;
    this.#database = database;
  }

  static async start(): Promise<RoomDatabase> {
    const postgres = new PGlite();
    await postgres.exec(TABLE);
    const database = new RoomDatabase(await freePort(), postgres);
    await database.up();
    return database;
  }

  async up(): Promise<void> {
    const server = createServer((request, response) => {
      this.#answer(request).then(
        async (answered) => response.writeHead(answered.status).end(await answered.text()),
        (error: unknown) => response.writeHead(500).end(String(error)),
      );
    });
    this.#server = server;
    await new Promise<void>((resolve) => {
      server.listen(this.port, '127.0.0.1', resolve);
    });
  }

  async down(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    server?.closeAllConnections();
    await new Promise((resolve) => {
      if (server === undefined) resolve(undefined);
      else server.close(resolve);
    });
  }

  async stop(): Promise<void> {
    await this.down();
    await this.#database.close();
  }

  /** Answers the next saves with that status: those of that room, or of any. */
  failSaves(count: number, status: number, name?: string): void {
    const id = name && this.roomId(name);
    this.#failures.push(...Array.from({ length: count }, () => ({ status, id })));
  }

  /** The room's id on any host: it says where its database is. */
  roomId(name: string): string {
    return `${this.port}-${name}`;
  }

  /** Everything that a room asked, in order. */
  logOf(name: string): readonly string[] {
    const id = this.roomId(name);
    return this.#log.flatMap(([of, what]) => (of === id ? [what] : []));
  }

  async contentOf(name: string): Promise<unknown> {
    const { rows } = await this.#database.query<{ content: unknown }>(
      'select content from rooms where id = $1',
      [this.roomId(name)],
    );
    return rows[0]?.content;
  }

  async write(name: string, content: unknown): Promise<void> {
    await this.#database.query('insert into rooms values ($1, $2, 1, $3)', [
      this.roomId(name),
      'of the test',
      JSON.stringify(content),
    ]);
  }

  #takeFailure(room: string): number | undefined {
    const index = this.#failures.findIndex(({ id = room }) => id === room);
    return index < 0 ? undefined : this.#failures.splice(index, 1)[0]?.status;
  }

  async #answer(incoming: IncomingMessage): Promise<Response> {
    const { method = 'GET', url = '/' } = incoming;
    let body = '';
    for await (const part of incoming.setEncoding('utf8')) body += String(part);
    const [, kind, id = ''] = url.split('/').map(decodeURIComponent);
    if (kind === 'log') {
      this.#log.push([id, body]);
      return new Response(null, { status: 204 });
    }
    const failure = method === 'PUT' ? this.#takeFailure(id) : undefined;
    const { how, version } = JSON.parse(body === '' ? '{}' : body) as Record<string, unknown>;
    const what = method === 'PUT' ? `${String(how)} ${String(version)}` : 'loaded';
    this.#log.push([id, failure === undefined ? what : `${what} failed`]);
    if (failure !== undefined) return new Response('no', { status: failure });
    const request = new Request(`http://127.0.0.1${url}`, {
      method,
      ...(method === 'PUT' && { body }),
    });
    return await answer(request, this.#database);
  }
}
