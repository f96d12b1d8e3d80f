import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { ChangesBuilder } from '../../../src/protocol/changes.ts';
import * as fromClient from '../../../src/protocol/presence/presence-from-client.ts';
import * as fromRoom from '../../../src/protocol/presence/presence-from-room.ts';
import { changes as anyChanges, described, ids, leaves } from '../arbitrary-changes.ts';

const rows = fc.array(fc.tuple(ids, leaves), { maxLength: 6 }).map((cells) => new Map(cells));

test('[PRES-2] any cells survive the wire, whatever they are called', () => {
  fc.assert(
    fc.property(rows, (cells) => {
      const message = { type: 'row', cells } as const;
      const decoded = fromClient.decode(fromClient.encode(message));
      expect(decoded.type === 'row' && new Map(decoded.cells)).toEqual(cells);
    }),
  );
});

test('the messages of a client without cells are constant texts', () => {
  for (const [type, json] of [
    ['check', '[1]'],
    ['leave', '[]'],
  ] as const) {
    expect(fromClient.encode({ type })).toBe(json);
    expect(fromClient.decode(json)).toEqual({ type });
  }
});

test('corrections survive the wire, whichever parts they have', () => {
  const error = { code: 'malformed', message: 'because' } as const;
  fc.assert(
    fc.property(
      anyChanges,
      fc.string(),
      fc.boolean(),
      fc.boolean(),
      (own, of, hasOwn, hasError) => {
        const message: fromRoom.PresenceFromRoom = {
          type: 'correction',
          ...(hasOwn && { own, of }),
          ...(hasError && { error }),
        };
        const decoded = fromRoom.decode(fromRoom.encode(message)) as fromRoom.PresenceCorrection;
        expect({ ...decoded, own: decoded.own && described(decoded.own) }).toMatchObject({
          ...message,
          own: hasOwn ? described(own) : undefined,
        });
      },
    ),
  );
});

test('changes are encoded as in a commit', () => {
  const changes = new ChangesBuilder();
  changes.deleteTable('users');
  changes.setLeaf('connections', 'ada', 'x', 1);
  const json = '[{"connections":{"ada":{"x":1}}},{},{"users":0}]';
  expect(fromRoom.encode({ type: 'changes', changes })).toBe(json);
  expect(fromRoom.encode(fromRoom.decode(json))).toBe(json);
});

test.each([
  ['client', fromClient.decode, ['', '{', 'null', '1', '"x"', '[2]', '[1,1]', '{"x":"\uFFFC"}']],
  [
    'room',
    fromRoom.decode,
    ['', '{', 'null', '1', '[]', '[{}]', '{"own":1}', '{"error":{"code":"no"}}'],
  ],
] as const)('what no %s sends is malformed', (_side, decode, broken) => {
  for (const json of broken)
    expect(() => decode(json)).toThrow(expect.objectContaining({ code: 'malformed' }));
});
