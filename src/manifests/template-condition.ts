import type { TemplateName } from './load.ts';
import type { RenderValues } from './values.ts';

/**
 * Where a patch applies: keys from the object's root. In a list, a text is the `name` of an entry and a number its index.
 * An empty path is the whole object.
 */
export type PatchPath = readonly (string | number)[];

/** Versions from `since` on and before `until`, both as `1.18.0-pre.2`. */
export interface VersionRange {
  since?: string;
  until?: string;
}

/** One difference between the template and what a version, setting or option needs. */
export type TemplateCondition = {
  template: TemplateName;
  path: PatchPath;
  /** Any of these; absent is every version. */
  versions?: readonly VersionRange[];
  /** Absent is always. */
  when?: (values: RenderValues) => boolean;
} & (
  | { action: 'set'; value: (values: RenderValues) => unknown }
  /** Adds keys to a mapping. */
  | { action: 'merge'; value: (values: RenderValues) => Readonly<Record<string, unknown>> }
  /** Puts an entry at the end of a list. */
  | { action: 'append'; value: (values: RenderValues) => unknown }
  | { action: 'remove' }
);
