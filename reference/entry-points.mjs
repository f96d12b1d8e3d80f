import { Converter, ReflectionKind } from 'typedoc';

import { ENTRY_POINTS } from './typedoc.config.mjs';

/** Names each entry point as an import does, and warns of one without a comment, or with an export without one. */
export function load({ converter, logger }) {
  const names = new Map(
    Object.entries(ENTRY_POINTS).map(([name, path]) => [
      path.replace('../src/', '').replace(/(?:\/index)?\.ts$/, ''),
      name,
    ]),
  );
  converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    // The navigation makes folders of names: a guide and an entry point may both be called "client".
    for (const guide of project.documents ?? []) guide.name = `guides/${guide.name}`;
    for (const entry of project.getChildrenByKind(ReflectionKind.Module)) {
      entry.name = names.get(entry.name) ?? entry.name;
      if (!entry.hasComment()) logger.warn(`${entry.name} has no doc comment with @module.`);
      for (const exported of entry.children ?? []) {
        const parts = [exported, ...(exported.signatures ?? [])];
        const isReference = exported.kindOf(ReflectionKind.Reference);
        if (!isReference && !parts.some((part) => part.hasComment()))
          logger.warn(`${entry.name} exports ${exported.name} without a doc comment.`);
      }
    }
  });
}
