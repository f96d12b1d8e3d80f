import { isTellable, TinyBasePartyKitError } from '../../../protocol/errors.ts';
import { isUserId, type Access } from '../../../protocol/user-token.ts';
import type { FeatureRoom, RoomGate, Standing } from '../../room/room-feature.ts';
import type { AuthRequest } from './auth-request.ts';
import type { AuthHost, RoomAuth, RoomAuthOptions } from './create-auth.ts';
import type { Auth } from './define-auth.ts';
import { grantToSlot, slotToGrant, type Grant } from './grant.ts';
import { partyNameOf } from './party-name.ts';
import { readRevokedUsers, type RevokedUsers } from './revoked-users.ts';
import { expired } from './token-claims.ts';
import { inVerificationTime } from './verification-time.ts';

/** A timer is set only for the last 10 seconds of a connection. Until then the room may sleep (`GATE-7`). */
const LAST_MILLISECONDS = 10_000;
const SLOT = 'auth';

/** The gate of a room. It keeps a grant for each connection and each request that it let in. */
export class AuthGate<User, UserInput, Connection extends object, Request extends AuthRequest>
  implements RoomAuth<User, UserInput>, RoomGate<Connection, Request>
{
  declare readonly '~users': undefined;
  readonly #host: AuthHost<Connection, Request>;
  readonly #auth: Auth<User, UserInput>;
  readonly #party: string | undefined;
  readonly #room: FeatureRoom<Connection>;
  readonly #grants = new WeakMap<object, Grant<User>>();
  /** The connections that were closed because their users were revoked. */
  readonly #revokedConnections = new WeakSet<Connection>();
  /** The connections whose end has a timer. */
  readonly #ending = new WeakSet<Connection>();
  /** The latest time at which a token was made that the room has seen, by the clock of the server that makes them. */
  #latestIssue = 0;
  #revoked: Promise<RevokedUsers> | undefined;
  /** The same, once it was read. */
  #revokedNow: RevokedUsers | undefined;

  constructor(
    host: AuthHost<Connection, Request>,
    auth: Auth<User, UserInput>,
    { party }: RoomAuthOptions,
  ) {
    this.#host = host;
    this.#auth = auth;
    this.#party = party;
    this.#room = host.setGate(this);
  }

  async admit(connection: Connection, request: Request): Promise<void> {
    const grant = await this.#verify(request);
    this.#grants.set(connection, grant);
    this.#room.writeSlot(connection, SLOT, grantToSlot(grant));
  }

  async admitRequest(request: Request): Promise<void> {
    await this.#verify(request);
  }

  check(connection: Connection): Standing {
    const grant = this.#grantOf(connection);
    if (grant === undefined || this.#isRevoked(connection, grant)) return 'unknown';
    const left = grant.expiresAt - this.#room.now();
    if (left <= 0) return 'expired';
    if (left <= LAST_MILLISECONDS) this.#endIn(left, connection);
    return 'admitted';
  }

  mayWrite(caller: Connection | Request): boolean {
    return this.#grantOf(caller)?.access === 'write';
  }

  userIdOf(caller: Connection | Request): string | undefined {
    return this.#grantOf(caller)?.userId;
  }

  headers(request: Request): Readonly<Record<string, string>> {
    const { origins } = this.#auth;
    if (origins === undefined) return {};
    const origin = request.headers.get('Origin');
    // The answer names an allowed origin: the browser of any other page does not let the page read it.
    const [first = ''] = origins;
    const named = origin !== null && origins.has(origin) ? origin : first;
    return { 'Access-Control-Allow-Origin': named, Vary: 'Origin' };
  }

  getUser(caller: object): User {
    return this.#knownGrantOf(caller).user;
  }

  getAccess(caller: object): Access {
    return this.#knownGrantOf(caller).access;
  }

  async authorize(request: AuthRequest): Promise<User> {
    const { user } = await this.#verify(request);
    return user;
  }

  async revoke(userId: string): Promise<void> {
    if (!isUserId(userId))
      throw new TypeError('revoke() got no user id: pass a text of 1 to 255 bytes.');
    const revoked = await this.#revokedUsers();
    const all = this.#room.connections();
    const connections = all.filter((connection) => this.#grantOf(connection)?.userId === userId);
    // The clock of the server that makes tokens may be ahead. The tokens that the room has seen were made before now in any case.
    const times = all.map((connection) => this.#grantOf(connection)?.issuedAt ?? 0);
    revoked.add(userId, Math.max(this.#room.now(), this.#latestIssue, ...times));
    for (const connection of connections) {
      this.#revokedConnections.add(connection);
      this.#room.writeSlot(connection, SLOT, null);
      this.#room.refuse(connection, 'forbidden', 'This user may not be in this room any more.');
    }
    await revoked.store();
  }

  /** Verifies the token of a request, and remembers its grant as long as the request lasts. */
  async #verify(request: AuthRequest): Promise<Grant<User>> {
    const revoked = await this.#revokedUsers();
    const grant = this.#grants.get(request) ?? (await this.#verifyToken(request));
    this.#latestIssue = Math.max(this.#latestIssue, grant.issuedAt);
    // Nothing happens between this and the use of the grant: a revocation comes before, or finds the connection.
    if (revoked.has(grant.userId, grant.issuedAt)) {
      throw new TinyBasePartyKitError(
        'forbidden',
        'The token was made before its user was revoked: get a new one.',
      );
    }
    if (grant.expiresAt <= this.#room.now()) throw expired();
    this.#grants.set(request, grant);
    return grant;
  }

  async #verifyToken(request: AuthRequest): Promise<Grant<User>> {
    try {
      const verifying = this.#auth.verify(request, {
        party: this.#party ?? partyNameOf(request.url),
        room: this.#room.roomId,
        env: this.#host.party.env,
        now: this.#room.now(),
      });
      const after = this.#room.after.bind(this.#room);
      return await inVerificationTime(verifying, after);
    } catch (error) {
      const isRefusal = isTellable(error);
      // The reason goes only to the app's own log. The text for the client says nothing to the app.
      if (!isRefusal || error.code === 'unavailable') this.#room.report(error);
      else if (error.code === 'failed') this.#room.report(error.cause ?? error);
      if (isRefusal) throw error;
      throw new TinyBasePartyKitError('failed', 'The room failed to verify the token.');
    }
  }

  /** The user may have been revoked just when its connection was let in: then that is not among those that were closed. */
  #isRevoked(connection: Connection, { userId, issuedAt }: Grant<User>): boolean {
    return (
      this.#revokedConnections.has(connection) || this.#revokedNow?.has(userId, issuedAt) === true
    );
  }

  #revokedUsers(): Promise<RevokedUsers> {
    this.#revoked ??= this.#readRevokedUsers();
    return this.#revoked;
  }

  async #readRevokedUsers(): Promise<RevokedUsers> {
    const { storage, storagePrefix } = this.#room;
    try {
      this.#revokedNow = await readRevokedUsers(storage, storagePrefix);
      return this.#revokedNow;
    } catch (error) {
      this.#revoked = undefined;
      this.#room.report(error);
      throw error;
    }
  }

  #knownGrantOf(caller: object): Grant<User> {
    const grant = this.#grantOf(caller);
    if (grant !== undefined) return grant;
    throw new TinyBasePartyKitError(
      'unauthorized',
      'The room knows no user of this object: pass a connection or request that it let in, or call authorize() first.',
    );
  }

  /** Returns the grant of a connection or request that was let in, also if that was before the room slept. */
  #grantOf(caller: object): Grant<User> | undefined {
    // Such as the undefined of `party.getConnection` when somebody has left.
    if (Object(caller) !== caller) return undefined;
    const known = this.#grants.get(caller);
    if (known !== undefined || !this.#isConnection(caller)) return known;
    const attached = slotToGrant(this.#room.readSlot(caller, SLOT), (user) => this.#isUser(user));
    if (attached !== undefined) this.#grants.set(caller, attached);
    return attached;
  }

  #endIn(milliseconds: number, connection: Connection): void {
    if (this.#ending.has(connection)) return;
    this.#ending.add(connection);
    this.#room.after(milliseconds, () => {
      this.#ending.delete(connection);
      if (this.check(connection) === 'expired')
        this.#room.refuse(connection, 'expired', expired().message);
    });
  }

  /** Only requests have headers. Everything else that a handler receives is a connection. */
  #isConnection(caller: object): caller is Connection {
    return !('headers' in caller);
  }

  /** The schema checked the user before it was attached, and only the gate writes this slot. */
  #isUser(attached: unknown): attached is User {
    return attached !== undefined;
  }
}
