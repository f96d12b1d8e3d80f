import { isAlmost } from './is-almost.ts';

/** The words of options with which an author means to keep somebody out, here or elsewhere. */
const PROTECTIVE = [
  'allow(?:s|ed|list)?',
  '(?:white|deny|block)list',
  'auth(?:ori[sz](?:e[drs]?|ation)|enticat(?:e[ds]?|ion|or))?',
  'origins?|cors|headers?|access|secrets?|jwks?|jwt|tokens?|permissions?|private|passwords?|roles?|users?|readonly',
  'can(?=set|del|add|edit|read|write|change)',
].join('|');

/** The other words of such names. */
const BESIDE = [
  'is|has|on|by|for|of|only|no|use|enabled?|disabled?|require[ds]?|check|verif(?:y|ier)|control|response|request|expose[ds]?',
  'read(?:s|er|ers)?|writ(?:e|es|er|ers)|add|edits?|change|set|del(?:ete)?|keys?|tables?|rows?|cells?|values?|methods?|credentials?',
  'room|admins?|owners?|members?|guests?|anonymous|list|fn|function',
].join('|');

const WORDS_ALONE = new RegExp(`^(?:${BESIDE})*(?:${PROTECTIVE})(?:${PROTECTIVE}|${BESIDE})*$`);

/** Names that are recognised with a wrong letter, the long ones with two. */
const NAMES = [
  'allowedorigins',
  'responseheaders',
  'origins',
  'readonly',
  'secret',
  'permissions',
  'password',
  'private',
  'authorization',
  'authentication',
];

/**
 * Returns true for the name of an option that looks meant to keep somebody out: all of its words say so, or it is almost such a name.
 * If such an option does not exist, the room would be more open than its author believes.
 */
export function isProtectiveName(name: string): boolean {
  const letters = name.toLowerCase().replaceAll(/[^a-z]/g, '');
  return WORDS_ALONE.test(letters) || NAMES.some((known) => isAlmost(letters, known));
}
