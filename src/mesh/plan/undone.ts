import type { KubeObject } from '../objects/kube-object.ts';
import { overlaps } from '../objects/ownership.ts';
import { changesTo } from './diff.ts';

/** What meshctl notes for itself, which two runs at once may do in turn. */
const OWN_MARKS = 'meshctl.io/';

/** One write of a run, after which the object was there. */
export interface OwnWrite {
  /** As it was; undefined where the run has made it. */
  before: KubeObject | undefined;
  /** As the API server has stored it; where no answer came, as it should have. */
  after: KubeObject;
  /** What should come of it by what was sent alone, without what an API server adds. Default: `after`. */
  meant?: KubeObject | undefined;
}

/**
 * The fields of an object that a run has written and that are as they were before it again, as paths; of an object that it has made,
 * those that are not there any more. What others have made of them since is none of them, nor what they have changed between two
 * writes, nor what an API server has set beside them.
 * @param writes in their order; of a field that several of them have changed, the last one says how it is to be
 * @param live as it is now
 */
export function undoneFields(writes: readonly OwnWrite[], live: KubeObject): string[] {
  const undone = writes.flatMap((write, index) => {
    const later = writes.slice(index + 1);
    return undoneOf(write, live).filter((path) => {
      const last = later.findLast((one) => apart(contentOf(one.before), contentOf(one.after), path));
      return !last || apart(contentOf(last.after), contentOf(live), path);
    });
  });
  return [...new Set(undone)];
}

function undoneOf({ before, after, meant = after }: OwnWrite, live: KubeObject): string[] {
  const [was, made, is, wanted] = [before, after, live, meant].map(contentOf);
  const sent = [...changesTo(was, wanted), ...changesTo(wanted, was)];
  const lacking = changesTo(is, made);
  const added = changesTo(was, made)
    .filter(({ from }) => from === undefined)
    .filter(({ path }) => lacking.some((one) => one.path === path && one.from === undefined));
  const otherwise = changesTo(is, was);
  const back = changesTo(made, was).filter(({ path }) => !otherwise.some((one) => overlaps(one.path, path)));
  const own = [...back, ...added].filter(({ path }) => sent.some((one) => overlaps(one.path, path)));
  // What an apply leaves out, only the API server tells; with another value of one field, it may take out others.
  const undone = own.length > 0 ? own : back.filter(({ from }) => from === undefined);
  return undone.map(({ path }) => path);
}

/** Whether a field, or anything within it, is not the same in both. */
function apart(one: unknown, other: unknown, path: string): boolean {
  return [...changesTo(one, other), ...changesTo(other, one)].some((change) => overlaps(change.path, path));
}

/** What somebody may have set: no status, and no account that an API server keeps. */
function contentOf(object: KubeObject | undefined) {
  if (!object) return {};
  const { apiVersion: _version, kind: _kind, status: _status, metadata, ...content } = object;
  const { labels, annotations = {} } = metadata;
  const others = Object.entries(annotations).filter(([name]) => !name.startsWith(OWN_MARKS));
  return { ...content, metadata: { labels, annotations: Object.fromEntries(others) } };
}
