import { decodeAdminCommand, type AdminCommand } from '../../../protocol/admin/admin-command.ts';
import { ADMIN_PATH, sha256Of } from '../../../protocol/admin/admin-token.ts';
import { ERRORS, isTellable, TinyBasePartyKitError } from '../../../protocol/errors.ts';
import { isUnsendable } from '../../../protocol/events/unsendable-event.ts';
import { FEWEST_SECRET_BYTES, isSecret } from '../../../protocol/user-token.ts';
import { readBody } from '../../http/http-body.ts';
import { hearRejection } from '../../room/maybe-promise.ts';
import type { FeatureRoom, RoomFeature } from '../../room/room-feature.ts';
import { WaitingBodies } from '../../room/waiting-bodies.ts';
import { partyNameOf } from '../auth/party-name.ts';
import type { AdminHost, AdminOptions, AdminRequest } from './admin-options.ts';
import { ended, verifySignature, type Signature } from './signature.ts';
import { readUsedSignatures, type UsedSignatures } from './used-signatures.ts';

const BODY_BYTES = 16 * 1024 * 1024;
/** Bodies that are held at once: of commands, and of strangers, whose bodies are dropped. */
const WAITING_BODIES = 8;
/** The most bytes of a stranger's body that are held; up to 16 times as many are read. */
const STRANGER_BYTES = 16 * 1024;
const RETRY_SECONDS = '5';

/** The endpoint `POST <room URL>/admin` of a room. */
export class AdminEndpoint<Connection, Request extends AdminRequest> implements RoomFeature<
  Connection,
  Request
> {
  readonly answersUnloaded = true;
  readonly #host: AdminHost<Connection, Request>;
  readonly #options: AdminOptions<unknown>;
  readonly #room: FeatureRoom<Connection>;
  readonly #bodies: WaitingBodies;
  /** Strangers have bodies of their own, so that they keep out no command. */
  readonly #strangers: WaitingBodies;
  #used: Promise<UsedSignatures> | undefined;
  #isSecretReported = false;

  constructor(host: AdminHost<Connection, Request>, options: AdminOptions<unknown>) {
    this.#host = host;
    this.#options = options;
    this.#room = host.addFeature(this);
    this.#bodies = new WaitingBodies(this.#room);
    this.#strangers = new WaitingBodies(this.#room);
  }

  /** Answers a command. Returns undefined for every other request, and if there is no secret (`ADMIN-3`). */
  answer(request: Request): Promise<Response> | undefined {
    if (request.method !== 'POST' || !new URL(request.url).pathname.endsWith(ADMIN_PATH))
      return undefined;
    const secret = this.#secret();
    return secret === undefined ? undefined : this.#answer(request, secret);
  }

  /** Never rejects. */
  async #answer(request: Request, secret: string): Promise<Response> {
    try {
      const signature = await this.#verify(request, secret);
      const command = await this.#commandOf(request, signature);
      const used = await this.#usedSignatures();
      if (used.has(signature.id)) throw replayed();
      const now = this.#room.now();
      // The body may have come slowly. Of a signature that has ended, nobody remembers if it was used.
      if (signature.end <= now || used.isForgotten(signature.end)) throw ended();
      await used.use(signature.id, signature.end, now);
      const result = await this.#run(command);
      return respond(200, { result });
    } catch (error) {
      return this.#refuse(error);
    }
  }

  async #verify(request: Request, secret: string): Promise<Signature> {
    const party = this.#options.party ?? partyNameOf(request.url);
    const context = { party, room: this.#room.roomId, now: this.#room.now() };
    try {
      const signature = await verifySignature(
        request.headers.get('Authorization'),
        secret,
        context,
      );
      // Before the body is read: nobody holds bodies with a signature that was seen on its way.
      if ((await this.#usedSignatures()).has(signature.id)) throw replayed();
      return signature;
    } catch (error) {
      await this.#dropBody(request);
      throw error;
    }
  }

  /** Reads a stranger's body, because an answer that leaves one unread makes some hosts reset the connection. */
  async #dropBody({ body }: AdminRequest): Promise<void> {
    if (body === null) return;
    const limits = { waitingBodies: WAITING_BODIES, waitingBodyBytes: Infinity };
    try {
      const waiting = this.#strangers.enter(limits);
      await readBody(body, STRANGER_BYTES, waiting).finally(() => waiting.leave());
    } catch {
      // Too many strangers at once, or the body broke off. The answer is the same.
    }
  }

  async #commandOf({ body }: AdminRequest, { sha256 }: Signature): Promise<AdminCommand> {
    const { bodyBytes = BODY_BYTES } = this.#options;
    const limits = { waitingBodies: WAITING_BODIES, waitingBodyBytes: 2 * bodyBytes };
    const waiting = this.#bodies.enter(limits);
    try {
      const text = await readBody(body, bodyBytes, waiting);
      if (text === undefined) {
        throw new TinyBasePartyKitError(
          'too-large',
          `The command is over the limit of ${bodyBytes} bytes: raise the option bodyBytes of createAdmin.`,
        );
      }
      if ((await sha256Of(text)) !== sha256) {
        throw new TinyBasePartyKitError(
          'unauthorized',
          'The body of the command is not the one that was signed: send it by createRoomHandle.',
        );
      }
      return decodeAdminCommand(text);
    } catch (cause) {
      if (isTellable(cause)) throw cause;
      // The sender is gone, which is not a fault of the room.
      const message = 'The body of the command broke off: send it again.';
      throw new TinyBasePartyKitError('unavailable', message, { cause });
    } finally {
      waiting.leave();
    }
  }

  async #run(command: AdminCommand): Promise<unknown> {
    try {
      return await this.#do(command);
    } catch (cause) {
      if (isTellable(cause)) throw cause;
      if (isUnsendable(cause)) throw new TinyBasePartyKitError('malformed', cause.message);
      this.#room.report(cause);
      const message = `The room's own code threw at the command ${command.do}: the log of the room says why.`;
      throw new TinyBasePartyKitError('failed', message);
    }
  }

  async #do(command: AdminCommand): Promise<unknown> {
    const host = this.#host;
    switch (command.do) {
      case 'getSize':
        return host.getSize();
      case 'getStats':
        return await host.getStats();
      case 'evict':
        return await host.evict(
          'user' in command ? { user: command.user } : { connection: command.connection },
        );
      case 'evictAll':
        return await host.evictAll();
      case 'garbageCollect':
        return await host.garbageCollect();
      case 'exportRoom':
        return await host.exportRoom();
      case 'restoreRoom':
        return await host.restoreRoom(command.document);
      case 'wipe':
        return await host.wipe();
      case 'broadcast': {
        const { events } = this.#options;
        if (events === undefined) {
          throw new TinyBasePartyKitError(
            'malformed',
            'The room has no events for a backend: give createAdmin the option events.',
          );
        }
        await events.broadcast(command.name, command.data);
        return undefined;
      }
    }
  }

  #usedSignatures(): Promise<UsedSignatures> {
    const { storage, storagePrefix } = this.#room;
    this.#used ??= readUsedSignatures(storage, storagePrefix).catch((error: unknown) => {
      this.#used = undefined;
      this.#room.report(error);
      throw error;
    });
    return this.#used;
  }

  #secret(): string | undefined {
    let secret: unknown;
    try {
      secret = this.#options.secret(this.#host.party.env);
    } catch (error) {
      this.#reportSecret('the option secret threw', error);
      return undefined;
    }
    if (isSecret(secret)) return secret;
    hearRejection(secret);
    this.#reportSecret(
      `let the option secret give a text of at least ${FEWEST_SECRET_BYTES} bytes. partykit dev takes variables from the file .env when it starts`,
    );
    return undefined;
  }

  /** Reports once, because everybody can send requests to this path. */
  #reportSecret(what: string, cause?: unknown): void {
    if (this.#isSecretReported) return;
    this.#isSecretReported = true;
    const message = `createAdmin has no usable secret, so the room takes no commands: ${what}.`;
    this.#room.report(new Error(message, { cause }));
  }

  #refuse(error: unknown): Response {
    if (!isTellable(error)) {
      this.#room.report(error);
      const message = 'The room failed to verify the command: the log of the room says why.';
      return respond(ERRORS.failed.httpStatus, { code: 'failed', message });
    }
    const { code, message } = error;
    const status = ERRORS[code].httpStatus;
    return respond(
      status,
      { code, message },
      {
        ...(status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}),
        ...(code === 'overloaded' ? { 'Retry-After': RETRY_SECONDS } : {}),
      },
    );
  }
}

function replayed(): TinyBasePartyKitError {
  return new TinyBasePartyKitError(
    'forbidden',
    'This command was sent before: sign it again if you want it a second time.',
  );
}

function respond(
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return Response.json(body, { status, headers: { 'Cache-Control': 'no-store', ...headers } });
}
