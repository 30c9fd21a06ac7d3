import type { KubeObject } from '../objects/kube-object.ts';
import { managersOfField, overlaps } from '../objects/ownership.ts';
import { changesTo } from './diff.ts';
import { FIELD_MANAGER } from './plan.ts';

/** What meshctl notes for itself, which two runs at once may do in turn. */
const OWN_MARKS = 'meshctl.io/';

/**
 * The fields of an object that a run has written and that are as they were before it again, as paths. What another run has made of them
 * since is none of them, and neither is what an API server sets beside them, where there is anything that meshctl has set itself.
 * @param before as it was, @param after as the API server has stored it, @param live as it is now
 */
export function undoneFields(before: KubeObject, after: KubeObject, live: KubeObject): string[] {
  const [was, made, is] = [contentOf(before), contentOf(after), contentOf(live)];
  const lacking = changesTo(is, made);
  const added = changesTo(was, made)
    .filter(({ from }) => from === undefined)
    .filter(({ path }) => lacking.some((one) => one.path === path && one.from === undefined));
  const otherwise = changesTo(is, was);
  const back = changesTo(made, was).filter(({ path }) => !otherwise.some((one) => overlaps(one.path, path)));
  const undone = [...new Set([...back, ...added].map(({ path }) => path))];
  const own = undone.filter((path) => managersOfField(after, path).includes(FIELD_MANAGER));
  return own.length > 0 ? own : undone;
}

/** What somebody may have set: no status, and no account that an API server keeps. */
function contentOf({ apiVersion: _version, kind: _kind, status: _status, metadata, ...content }: KubeObject) {
  const { labels, annotations = {} } = metadata;
  const others = Object.entries(annotations).filter(([name]) => !name.startsWith(OWN_MARKS));
  return { ...content, metadata: { labels, annotations: Object.fromEntries(others) } };
}
