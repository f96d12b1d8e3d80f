import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

import { decodeContent, encodeContent } from '../../src/protocol/codec.ts';
import {
  CLIENT_VARIANTS,
  COMPETING_VARIANTS,
  ROOM_VARIANTS,
  type StoreVariant,
} from './store-variants.ts';
import type { Traits } from './traits.ts';

/** One step: the label of what happened, then what was drawn while it did. */
type RecordedStep = readonly [label: string, ...lots: number[]];

type RecordedClient = Omit<Traits['clients'][number], 'variant' | 'seed'> & {
  readonly variant: string;
  /** As JSON. */
  readonly seed: string | null;
};

/**
 * A history that does not depend on how seeds are read: what it was like, and each step by name. Traits and actions that are
 * new since change nothing of it. A step that is not possible any more is left out.
 */
export interface Recording {
  /** The fault that the history guards against. */
  readonly title: string;
  /** Of ids, and of the order in which all comes to quiet. */
  readonly seed: number;
  /** The number of unique leaves made before the first step. */
  readonly uniqueLeaves: number;
  /** The number of first steps in which everybody joins without trouble. */
  readonly warmSteps: number;
  readonly traits: Omit<Traits, 'roomVariant' | 'clients'> & {
    readonly roomVariant: string;
    readonly clients: readonly RecordedClient[];
  };
  readonly steps: readonly RecordedStep[];
}

const FOLDER = `${process.cwd()}/test/model/recordings`;

export function recordTraits(traits: Traits): Recording['traits'] {
  return {
    ...traits,
    roomVariant: traits.roomVariant.name,
    clients: traits.clients.map(({ variant, seed, ...client }) => ({
      ...client,
      variant: variant.name,
      seed: seed === undefined ? null : encodeContent(seed),
    })),
  };
}

export function traitsOf({ traits }: Recording): Traits {
  return {
    ...traits,
    roomVariant: variantOf(ROOM_VARIANTS, traits.roomVariant),
    clients: traits.clients.map(({ variant, seed, ...client }) => ({
      ...client,
      variant: variantOf([...CLIENT_VARIANTS, ...COMPETING_VARIANTS], variant),
      seed: seed === null ? undefined : decodeContent(seed),
    })),
  };
}

function variantOf(variants: readonly StoreVariant[], name: string): StoreVariant {
  const variant = variants.find((candidate) => candidate.name === name);
  if (variant === undefined) throw new Error(`There is no variant ${name}.`);
  return variant;
}

/** Every recording that there is, by name. */
export function recordings(): [name: string, recording: Recording][] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json'))
    .map((file) => [file.slice(0, -'.json'.length), readRecording(file.slice(0, -'.json'.length))]);
}

export function readRecording(name: string): Recording {
  return JSON.parse(readFileSync(`${FOLDER}/${name}.json`, 'utf8')) as Recording;
}

/** One step a line. */
export function writeRecording(name: string, { steps, ...recording }: Recording): string {
  const file = `${FOLDER}/${name}.json`;
  const head = JSON.stringify(recording, undefined, 2).slice(0, -'\n}'.length);
  const lines = steps.map((step) => `    ${JSON.stringify(step)}`).join(',\n');
  writeFileSync(file, `${head},\n  "steps": [\n${lines}\n  ]\n}\n`);
  return file;
}
