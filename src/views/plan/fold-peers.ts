import { groupBy, MANY_ALIKE } from '../../mesh/pairs.ts';
import { type Change, isChange, type Step } from '../../mesh/plan/plan.ts';
import { type StepData, stepData } from './plan-data.ts';
import { changeLine, keyOutcome } from './step-lines.ts';

/** Names in the mesh of a plan's clusters, by context. */
export type PlanNames = ReadonlyMap<string, string>;

/**
 * How the steps of a plan of many clusters are told: in words that are the same in each, where they do the same for their peers. All that
 * is there is still said: who `<peer>` is stands above, and what is another thing for each peer, and the same wherever that is one, below.
 */
export interface FoldedPeers {
  /** What changes in a step. */
  changeLines(step: Step, data: StepData): string[];
  /** What stands below the blocks. */
  below: readonly string[];
}

const PEER = '<peer>';
const ITSELF = '<itself>';
/** So many may lack where others are named as all but them. */
const MOST_LACKING = 2;

/** One thing that a step does, for a peer or for the cluster itself. */
interface Told {
  peer?: string | undefined;
  /** In words that name neither the cluster nor the peer. */
  line: string;
  /** Where it is told of several peers together: what becomes of keys. */
  keys?: { outcome: string; key: string };
}

/** What is the same for a peer in many clusters, and another thing for each peer. */
interface Common {
  peer: string;
  subject: string;
  line: string;
}

/** Folds what the steps of many clusters do for their peers. */
export function foldPeers(steps: readonly Step[], names: PlanNames): FoldedPeers {
  const all = new Set(names.values());
  const told = new Map(steps.filter(isChange).map((step) => [step, toldOf(step, stepData(step), names, all)]));
  const common = commonTo(told);
  const known = (step: Step, things: readonly Told[]) => {
    const of = things.flatMap((one) => common.get(keyOf(step, one)) ?? []);
    return of.length < MANY_ALIKE ? [] : of;
  };
  const order = [...all];
  const used = new Map(
    [...told].flatMap(([step, things]) =>
      known(step, things).map((one) => [one.line, order.indexOf(one.peer)] as const),
    ),
  );
  return {
    below: [...used].sort(([, one], [, other]) => one - other).map(([line]) => line),
    changeLines: (step, data) => {
      const things = told.get(step) ?? toldOf(step, data, names, all);
      const isBelow = known(step, things).length > 0;
      const shown = things.map((one) => {
        const { subject } = (isBelow && common.get(keyOf(step, one))) || {};
        return subject === undefined ? one : { ...one, line: `${subject}: as below` };
      });
      const own = shown.filter(({ peer }) => peer === undefined);
      const ofPeers = shown.filter(({ peer }) => peer !== undefined);
      // First who has what, then who have the same.
      const alike = [...groupBy(ofPeers, ({ line }) => line).values()].map((of) => ({
        first: of.slice(0, 1),
        peers: of.map(({ peer = '' }) => peer),
      }));
      return [
        ...linesOf(own),
        ...[...groupBy(alike, ({ peers }) => JSON.stringify(peers)).values()].flatMap((same) => {
          const peers = same[0]?.peers ?? [];
          const lines = linesOf(same.flatMap(({ first }) => first));
          if (peers.length === 1) return lines.map((line) => line.replaceAll(PEER, peers[0] ?? ''));
          const who = allOthers(names, step.cluster, peers) ?? peers.join(', ');
          return [`with ${who} as ${PEER}:`, ...lines.map((line) => `  ${line}`)];
        }),
      ];
    },
  };
}

/** Who these peers of a cluster are in one word, where they are all others of the plan, or all but a few; undefined where they are to be named. */
export function allOthers(names: PlanNames, context: string, peers: readonly string[]): string | undefined {
  const itself = names.get(context);
  const others = [...new Set(names.values())].filter((name) => name !== itself);
  const lacking = others.filter((name) => !peers.includes(name));
  const isKnown = peers.every((peer) => others.includes(peer));
  if (
    !isKnown ||
    peers.length < MANY_ALIKE ||
    lacking.length > MOST_LACKING ||
    lacking.length * MANY_ALIKE > peers.length
  )
    return undefined;
  return `each other cluster of this plan${lacking.length > 0 ? ` but ${lacking.join(' and ')}` : ''}`;
}

/** A line for each, and one for all keys of which the same becomes. */
function linesOf(told: readonly Told[]): string[] {
  const keys = told.flatMap((one) => one.keys ?? []);
  return [
    ...told.flatMap((one) => (one.keys ? [] : [one.line])),
    ...[...groupBy(keys, ({ outcome }) => outcome)].map(
      ([outcome, of]) => `key${of.length === 1 ? '' : 's'} ${of.map(({ key }) => key).join(', ')}: ${outcome}`,
    ),
  ];
}

function toldOf(step: Step, data: StepData, names: PlanNames, all: ReadonlySet<string>): Told[] {
  const itself = names.get(step.cluster);
  const others = (name: string) => all.has(name) && name !== itself;
  const changed = new Set(data.changes.map(({ path }) => path));
  const changes = data.action === 'delete' ? [] : data.changes;
  return [
    ...changes.map((change): Told => {
      const peer = peerOfPath(change.path, others);
      return { peer, line: inGeneral(changeLine(withoutDigest(change)), itself, peer) };
    }),
    ...(data.secretKeys ?? []).flatMap((change): Told[] => {
      const outcome = data.action === 'delete' ? 'removed' : keyOutcome(change);
      // What a key gets that is there by now, the planner has said.
      if (typeof change.to !== 'string' && changed.has(`data.${change.key}`)) return [];
      const peer = peerOfKey(change.key, others);
      const key = inGeneral(change.key, itself, peer);
      return [{ peer, line: `${outcome} ${key}`, keys: { outcome, key } }];
    }),
  ];
}

/** A path names a peer as the key of its files, as its user, or as the host name that pods are told. */
function peerOfPath(path: string, isPeer: (name: string) => boolean): string | undefined {
  const [, entry] = /\[(?:remote-)?([a-z0-9-]+)/.exec(path) ?? [];
  return entry === undefined ? peerOfKey(path.replace(/^data\./, ''), isPeer) : [entry].find(isPeer);
}

function peerOfKey(key: string, isPeer: (name: string) => boolean): string | undefined {
  const [first = ''] = key.split('.');
  return isPeer(first) ? first : undefined;
}

/** The same words without the names, also where they are those of users or certificates. */
function inGeneral(text: string, itself: string | undefined, peer: string | undefined): string {
  return text.replace(/[a-z0-9-]+/g, (word) => {
    const [, role = '', name = ''] = /^(remote-|admin-|local-)?(.*)$/.exec(word) ?? [];
    for (const [of, sign] of [
      [peer, PEER],
      [itself, ITSELF],
    ] as const) {
      if (of !== undefined && word === of) return sign;
      if (of !== undefined && name === of) return `${role}${sign}`;
    }
    return word;
  });
}

const DIGEST = /^[0-9a-f]{16}$/;

/** By what marks pods have of CAs each cluster differs from all others. */
function withoutDigest({ path, from, to }: Change): Change {
  const shown = (value: unknown) => (typeof value === 'string' && DIGEST.test(value) ? '…' : value);
  return { path, ...(from === undefined ? {} : { from: shown(from) }), ...(to === undefined ? {} : { to: shown(to) }) };
}

/** By step and what is told: where many clusters do the very same for a peer, and each peer has something else. */
function commonTo(steps: ReadonlyMap<Step, readonly Told[]>): Map<string, Common> {
  const told = [...steps].flatMap(([step, things]) =>
    things.flatMap((one) =>
      one.peer === undefined || one.keys || one.line.includes(ITSELF) ? [] : [{ step, one, peer: one.peer }],
    ),
  );
  const subjects = groupBy(told, ({ step, one }) => JSON.stringify([placeOf(step), subjectOf(one)]));
  return new Map(
    [...subjects.values()].flatMap((same) => {
      const byPeer = [...groupBy(same, ({ peer }) => peer).values()];
      if (new Set(same.map(({ one }) => one.line)).size < MANY_ALIKE) return [];
      return byPeer.flatMap((of): [string, Common][] => {
        const [first] = of;
        if (!first || of.length < MANY_ALIKE || new Set(of.map(({ one }) => one.line)).size > 1) return [];
        const subject = subjectOf(first.one);
        return [
          [
            keyOf(first.step, first.one),
            { peer: first.peer, subject, line: first.one.line.replaceAll(PEER, first.peer) },
          ],
        ];
      });
    }),
  );
}

function subjectOf({ line }: Told): string {
  return line.slice(0, line.indexOf(': '));
}

function placeOf({ object, phase, action }: Step): readonly unknown[] {
  return [object.kind, object.name, phase, action];
}

function keyOf(step: Step, { peer, line }: Told): string {
  return JSON.stringify([placeOf(step), peer, line]);
}
