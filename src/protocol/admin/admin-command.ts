import { asObject, asString, decodeJson, ShapeError, type Json } from '../json.ts';
import { isUserId } from '../user-token.ts';

/** A command to a room from outside: the body of `POST <room URL>/admin`. */
export type AdminCommand =
  | { readonly do: 'getSize' }
  | { readonly do: 'getStats' }
  | { readonly do: 'evict'; readonly connection: string }
  | { readonly do: 'evict'; readonly user: string }
  | { readonly do: 'evictAll' }
  | { readonly do: 'garbageCollect' }
  | { readonly do: 'exportRoom' }
  | { readonly do: 'restoreRoom'; readonly document: unknown }
  | { readonly do: 'wipe' }
  | { readonly do: 'broadcast'; readonly name: string; readonly data?: unknown };

/** Decodes a command. Throws `malformed` for anything else. */
export function decodeAdminCommand(text: string): AdminCommand {
  return decodeJson('command', text, jsonToCommand);
}

function jsonToCommand(json: Json | undefined): AdminCommand {
  const command = asObject(json);
  const name = asString(command['do']);
  switch (name) {
    case 'getSize':
    case 'getStats':
    case 'evictAll':
    case 'garbageCollect':
    case 'exportRoom':
    case 'wipe':
      return { do: name };
    case 'evict': {
      const { connection, user } = command;
      if (user === undefined) {
        const id = asString(connection);
        if (id !== '') return { do: name, connection: id };
      } else if (connection === undefined && isUserId(user)) return { do: name, user };
      throw new ShapeError('evict needs either "connection" or "user", which is an id');
    }
    case 'restoreRoom':
      return { do: name, document: command['document'] };
    case 'broadcast': {
      const event = asString(command['name']);
      return Object.hasOwn(command, 'data')
        ? { do: name, name: event, data: command['data'] }
        : { do: name, name: event };
    }
    default:
      throw new ShapeError(`there is no command ${JSON.stringify(name)}`);
  }
}
