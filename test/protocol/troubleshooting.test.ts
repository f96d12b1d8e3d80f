import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

import { ERRORS, isErrorCode, type ErrorCode } from '../../src/protocol/errors.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const page = readFileSync(`${REPOSITORY}/docs/troubleshooting.md`, 'utf8');
/** The code of each file, without its comments. The texts of the devtools are no messages. */
const sources = readdirSync(`${REPOSITORY}/src`, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.startsWith('devtools'))
  .map((name) =>
    readFileSync(`${REPOSITORY}/src/${name}`, 'utf8')
      .replaceAll(/\/\*.*?\*\//gs, '')
      .replaceAll(/^\s*\/\/.*$/gm, ''),
  );

/** The text of a section, without those below it. */
const section = (heading: string): string =>
  page.split(`\n${heading}\n`)[1]?.split(/\n##+ /)[0] ?? '';

/** The first cells of the rows of a section. */
const firstCells = (heading: string): readonly string[] =>
  [...section(heading).matchAll(/^\| (.*?) \|/gm)].map(([, cell = '']) => cell);

/** The parts of messages that the first cells of a section quote. */
const quotedIn = (heading: string): readonly string[] =>
  firstCells(heading).flatMap((cell) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, quoted = '']) => quoted),
  );

const codes = [...page.matchAll(/^### (.*)$/gm)].map(([, heading = '']) => heading);
const AT_ONCE = '## Errors that are thrown at once';
const quoted = [...codes.map((code) => `### ${code}`), AT_ONCE].flatMap(quotedIn);

/** Returns the literals in a piece of code. */
const literalsIn = (code: string): readonly string[] =>
  [...code.matchAll(/'((?:[^'\\\n]|\\.)*)'|`((?:[^`\\]|\\.)*)`|"((?:[^"\\\n]|\\.)*)"/g)].map(
    ([, single, template, double]) => single ?? template ?? double ?? '',
  );

/** A text for people: a sentence of several words, or the beginning of one. */
const isSentence = (literal: string): boolean =>
  /^(?:[A-Z]|\$\{)/.test(literal) &&
  /[a-z]{2,} [a-z]+.*[.?!:]\s*(?:\$\{\w+\})?$/s.test(literal) &&
  // Not one that another literal within it cuts.
  !/\$\{[^}]*$/.test(literal);

/** The code and the message of each error that is made of a literal, or of a constant in the same file. */
const errors: readonly { readonly code: ErrorCode; readonly message: string }[] = sources.flatMap(
  (source) =>
    [...source.matchAll(/new TinyBasePartyKitError\(\s*'([\w-]+)',\s*([\w$]+)?/g)].flatMap(
      ({ index, 0: begin, 1: code, 2: name }) => {
        const constant =
          name === undefined
            ? -1
            : Math.max(...['=', ':'].map((sign) => lastOf(source, name, sign, index)));
        const from = name === undefined ? index + begin.length : constant;
        const [message] = from < 0 ? [] : literalsIn(source.slice(from, source.indexOf(';', from)));
        return message !== undefined && isErrorCode(code) && isSentence(message)
          ? [{ code, message }]
          : [];
      },
    ),
);

function lastOf(source: string, name: string, sign: string, before: number): number {
  const at = source.lastIndexOf(`const ${name} ${sign}`, before);
  return at < 0 ? source.indexOf(`const ${name} ${sign}`) : at;
}

test('docs/troubleshooting.md has a heading for each code, and no other', () => {
  expect(codes.toSorted()).toEqual(Object.keys(ERRORS).toSorted());
});

test('docs/troubleshooting.md quotes messages that this package has', () => {
  const all = sources.join('\n');
  expect(quoted.length).toBeGreaterThan(100);
  expect(quoted.filter((message) => !all.includes(message))).toEqual([]);
});

test('docs/troubleshooting.md has one entry for each part of a message', () => {
  const twice = codes.flatMap((code) => {
    const parts = quotedIn(`### ${code}`);
    return parts.filter((part, index) => parts.indexOf(part) !== index);
  });
  expect(twice).toEqual([]);
});

test('docs/troubleshooting.md has an entry for each message of an error, below its code', () => {
  expect(errors.length).toBeGreaterThan(80);
  const missing = errors.filter(
    ({ code, message }) => !quotedIn(`### ${code}`).some((part) => message.includes(part)),
  );
  expect(missing).toEqual([]);
});

test('docs/troubleshooting.md has an entry for each sentence that this package says', () => {
  const sentences = sources.flatMap(literalsIn).filter(isSentence);
  expect(sentences.length).toBeGreaterThan(200);
  expect(sentences.filter((sentence) => !quoted.some((part) => sentence.includes(part)))).toEqual(
    [],
  );
});

test('docs/troubleshooting.md gives the close code of each error', () => {
  // These are errors of the client alone: no room closes a socket with them.
  const own = new Set(['destroyed', 'misuse', 'network', 'offline']);
  const told = codes.map((code) => [code, /Close code (\d{4})/.exec(section(`### ${code}`))?.[1]]);
  const expected = Object.entries(ERRORS).map(([code, { closeCode }]) => [
    code,
    own.has(code) ? undefined : String(closeCode),
  ]);
  expect(Object.fromEntries(told)).toEqual(Object.fromEntries(expected));
});

test('docs/troubleshooting.md lists every phase', () => {
  const phases = readFileSync(`${REPOSITORY}/docs/api.md`, 'utf8')
    .split('| phase | |')[1]
    ?.split('\n\n')[0]
    ?.match(/^\| `[\w-]+`/gm)
    ?.map((cell) => cell.slice(2));
  expect(phases?.length).toBe(8);
  // A client that catches up for long has a connection that is slow, or says nothing: an error says so.
  const cells = firstCells('## Nothing arrives').join(' ');
  expect(phases?.filter((phase) => !cells.includes(phase))).toEqual(['`catching-up`']);
});
