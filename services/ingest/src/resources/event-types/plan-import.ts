import type { CurrentEventType, Enforcement, EventTypeChanges } from '@posthorn/db';
import type { DescribedType } from './read-document.ts';
import type { ImportStep, VersionTexts } from './store.ts';

/** What an import makes of one type. */
export interface PlannedType {
  readonly name: string;
  readonly action: 'create' | 'add_version' | 'change' | 'none';
  /** Null: there is nothing to do. */
  readonly step: ImportStep | null;
}

/** Compares what a document says of a type with the catalogue. What the document cannot say stays as it is. */
export function planType(
  described: DescribedType,
  texts: VersionTexts,
  found: CurrentEventType | undefined,
  enforcement: Enforcement,
): PlannedType {
  const { name, description, deprecated } = described;
  const state = deprecated ? 'deprecated' : 'active';
  if (found === undefined) {
    const type = { name, description, state, enforcement, ...texts } as const;
    return { name, action: 'create', step: { kind: 'create', type } };
  }
  const changes: EventTypeChanges = {
    ...(found.description === description ? {} : { description }),
    ...(found.state === state ? {} : { state }),
  };
  const isSame = found.schema === texts.schema && found.examples === texts.examples;
  if (isSame && Object.keys(changes).length === 0) return { name, action: 'none', step: null };
  const step = { kind: 'change', name, changes, version: isSame ? null : texts } as const;
  return { name, action: isSame ? 'change' : 'add_version', step };
}
