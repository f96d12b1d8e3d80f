import type { KeyValueStorage } from '../../src/server/storage/key-value-storage.ts';
import type { Written } from './written.ts';

/** Stands for bytes in JSON. */
const BYTES = '$bytes';

/** The storage of an object on a real host, as a test beside it can use it: each call is a request. */
export class RemoteStorage implements KeyValueStorage {
  readonly #url: string;

  /** @param url Where {@link answerStorageCall} answers for that object. */
  constructor(url: string) {
    this.#url = url;
  }

  async get(keys: string[]): Promise<Map<string, unknown>> {
    return new Map((await this.#call('get', [keys])) as [string, unknown][]);
  }

  async put(written: Written, value?: unknown): Promise<void> {
    await this.#call('put', typeof written === 'string' ? [written, value] : [written]);
  }

  async delete(keys: string[]): Promise<number> {
    return (await this.#call('delete', [keys])) as number;
  }

  async list(options: Parameters<KeyValueStorage['list']>[0]): Promise<Map<string, unknown>> {
    return new Map((await this.#call('list', [options])) as [string, unknown][]);
  }

  async #call(method: keyof KeyValueStorage, parameters: readonly unknown[]): Promise<unknown> {
    const response = await fetch(this.#url, {
      method: 'POST',
      // A host closes a connection that was idle for some seconds, and may do so just as the next call leaves.
      headers: { connection: 'close' },
      body: encode({ method, parameters }),
    });
    const answer = decode(await response.text()) as { result?: unknown; error?: string };
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.result;
  }
}

/** Does on a storage what a {@link RemoteStorage} asks for. */
export async function answerStorageCall(
  storage: KeyValueStorage,
  request: { text(): Promise<string> },
): Promise<Response> {
  const { method, parameters } = decode(await request.text()) as {
    method: 'get' | 'put' | 'delete' | 'list';
    parameters: [never];
  };
  try {
    const result: unknown = await storage[method](...parameters);
    return new Response(encode({ result: result instanceof Map ? [...result] : result }));
  } catch (error) {
    return new Response(encode({ error: String(error) }));
  }
}

function encode(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    part instanceof Uint8Array
      ? { [BYTES]: Array.from(part, (byte) => String.fromCharCode(byte)).join('') }
      : part,
  );
}

function decode(text: string): unknown {
  return JSON.parse(text, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && BYTES in part
      ? Uint8Array.from(String(part[BYTES]), (character) => character.charCodeAt(0))
      : part,
  );
}
