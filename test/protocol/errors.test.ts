import { readFile } from 'node:fs/promises';

import { expect, test } from 'vitest';

import { ERRORS, isErrorCode, TinyBasePartyKitError } from '../../src/protocol/errors.ts';

test('are those of docs/protocol.md, with the same status, close code and advice', async () => {
  const document = await readFile(new URL('../../docs/protocol.md', import.meta.url), 'utf8');
  const rows = document.matchAll(/^\| `([\w-]+)` \| (\d+|–) \| (\d+|–) \| (yes|no) \|/gm);
  const specified = [...rows].map(([, code, http, close, again]) => [code, http, close, again]);
  // Nothing on the wire ever says these.
  const ofClient = new Set(['network', 'destroyed', 'misuse']);
  const declared = Object.entries(ERRORS).map(([code, kind]) => [
    code,
    ofClient.has(code) ? '–' : String(kind.httpStatus),
    ofClient.has(code) ? '–' : String(kind.closeCode),
    kind.isRetryable ? 'yes' : 'no',
  ]);
  expect(declared).toEqual(specified);
});

test('have close codes of their own among those for applications', () => {
  const codes = Object.values(ERRORS).map((kind) => kind.closeCode);
  expect(new Set(codes).size).toBe(codes.length);
  for (const code of codes) expect(Math.floor(code / 1000)).toBe(4);
});

test('know their codes from everything else', () => {
  expect(isErrorCode('stale')).toBe(true);
  for (const other of ['', 'Stale', 'constructor', '__proto__', undefined, null, 4409, {}]) {
    expect(isErrorCode(other)).toBe(false);
  }
});

test('carry code, message and cause', () => {
  const cause = new Error('why');
  const error = new TinyBasePartyKitError('too-large', 'What happened.', { cause });
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({
    name: 'TinyBasePartyKitError',
    code: 'too-large',
    message: 'What happened.',
    cause,
    isRetryable: false,
  });
  expect(new TinyBasePartyKitError('network', '').isRetryable).toBe(true);
});
