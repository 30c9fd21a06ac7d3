import { MeshctlError } from '../mesh/errors.ts';
import type { KubeObject } from '../mesh/objects/kube-object.ts';
import type { TemplateCondition } from './template-condition.ts';
import type { RenderValues } from './values.ts';

type Container = Record<string, unknown> | unknown[];

/**
 * Carries out one condition of the table on an object, in place. Objects on the way that are absent are made.
 * @throws MeshctlError `Bug` when the path does not fit the template
 */
export function patchObject(object: KubeObject, condition: TemplateCondition, values: RenderValues): void {
  const { path, template } = condition;
  const misfit = (segment: string | number) =>
    new MeshctlError('Bug', `template ${template} has nothing at "${segment}" of ${path.join('.')}`);
  let parent: Container = object;
  for (const segment of path.slice(0, -1)) {
    const key = keyIn(parent, segment);
    if (key === undefined) throw misfit(segment);
    const child: unknown = Reflect.get(parent, key) ?? {};
    if (typeof child !== 'object' || child === null) throw misfit(segment);
    Reflect.set(parent, key, child);
    parent = child as Container;
  }
  const last = path.at(-1) ?? '';
  const key = keyIn(parent, last);
  if (key === undefined) throw misfit(last);
  if (condition.action === 'set') {
    Reflect.set(parent, key, condition.value(values));
  } else if (condition.action === 'merge') {
    Reflect.set(parent, key, { ...(Reflect.get(parent, key) as object | undefined), ...condition.value(values) });
  } else if (condition.action === 'append') {
    const list: unknown = Reflect.get(parent, key);
    if (!Array.isArray(list)) throw misfit(last);
    list.push(condition.value(values));
  } else if (Array.isArray(parent)) {
    parent.splice(Number(key), 1);
  } else {
    Reflect.deleteProperty(parent, key);
  }
}

/** A list's index for the `name` of an entry; undefined when there is none. Keys of objects stay. */
function keyIn(parent: Container, segment: string | number): string | number | undefined {
  if (!Array.isArray(parent)) return segment;
  const index = parent.findIndex((entry, at) => at === segment || (entry as { name?: unknown })?.name === segment);
  return index < 0 ? undefined : index;
}
