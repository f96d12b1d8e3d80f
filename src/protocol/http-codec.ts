/** What HTTP carries beside content. The codec of the messages has it, too. */
import { encodeChanges, jsonToChanges } from './changes-codec.ts';
import { asCount, asObject, decodeJson, isObject } from './json.ts';
import { REFUSAL_REASONS, type Cursor, type LargePush, type SeedCorrection } from './messages.ts';
import { asClientId, encodePush, faultOfPush, jsonToPush } from './push-codec.ts';

const ETAG = /^(?:W\/)?"([\w-]{1,64})\.(\d{1,16})"$/;

/** The ETag of a room's content (RFC 9110, section 8.8.3): its epoch and version. */
export function encodeETag({ epoch, version }: Cursor): string {
  return `"${epoch}.${version}"`;
}

/** Decodes an ETag of ours, weak or strong; undefined for any other, or none: the server is not our room. */
export function decodeETag(etag: string | null): Cursor | undefined {
  const match = ETAG.exec(etag ?? '');
  const [, epoch, digits] = match ?? [];
  const version = Number(digits);
  return epoch === undefined || !Number.isSafeInteger(version) ? undefined : { epoch, version };
}

/** Encodes the body of an answer 201: `{correction, reason}` (SEED-4). */
export function encodeSeedCorrection({ correction, reason }: SeedCorrection): string {
  return `{"correction":${encodeChanges(correction)},"reason":${JSON.stringify(reason ?? null)}}`;
}

/** Decodes the body of an answer 201. Throws `malformed`. */
export function decodeSeedCorrection(text: string): SeedCorrection {
  return decodeJson('correction', text, (json) => {
    const object = asObject(json);
    const reason = REFUSAL_REASONS.find((known) => known === object['reason']);
    return { correction: jsonToChanges(object['correction']), reason };
  });
}

/** Encodes the body of a POST. */
export function encodeLargePush({ clientId, generation, push }: LargePush): string {
  const encoded = encodePush(push.number, encodeChanges(push.changes), push.ackedPush);
  return `{"client":${JSON.stringify(clientId)},"generation":${generation},"push":${encoded}}`;
}

/** Decodes the body of a POST. Throws `malformed`. */
export function decodeLargePush(text: string): LargePush {
  return decodeJson(
    'large push',
    text,
    (json) => {
      const object = asObject(json);
      return {
        clientId: asClientId(object['client']),
        generation: asCount(object['generation']),
        push: jsonToPush(object['push']),
      };
    },
    (json) => (isObject(json) ? faultOfPush(json['push']) : undefined),
  );
}
