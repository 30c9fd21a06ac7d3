import { type Endpoint, hostPort } from '../apiserver/endpoints.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { type KubeObject, keyOf } from '../objects/kube-object.ts';
import { AGENT_PEERS_SECRET, secretRef } from '../objects/names.ts';
import { rememberedOf } from '../remembered.ts';
import type { CredentialKind } from './credential-kind.ts';
import { parseEndpoint } from './endpoint-overrides.ts';
import { leavingMark } from './leaving-marks.ts';

/**
 * What an operator chose for a peer, so that the next connect keeps it. It is written down as annotations of Secret
 * cilium-clustermesh of the cluster that dials: that Secret is there with KVStoreMesh and without, and what is mounted
 * from it does not change with them, so that nobody reconnects for their sake.
 */
export interface PeerChoices {
  /** Instead of the addresses of the peer's Service. */
  endpoints?: readonly Endpoint[] | undefined;
  /** Instead of what `auto` would take. */
  credentials?: CredentialKind | undefined;
  /** `unicast`: the peer shall not dial back; `served`: the peer dials this cluster, which shall not dial back. */
  mode?: ChosenMode | undefined;
  /** `let-in`: the peer goes on dialling this cluster, which does not dial it any more: no file names it. */
  access?: 'let-in' | undefined;
  /** `invitation`: it belongs to another owner; the certificate for dialling it is asked of them by messages. */
  joined?: 'invitation' | undefined;
}

/** How one side of a one-way connection writes it down; the other side has the other word. */
export type ChosenMode = 'unicast' | 'served';
const CHOSEN_MODES: readonly string[] = ['unicast', 'served'] satisfies readonly ChosenMode[];

/** Annotations to set, null for those that go. */
export type Marks = Readonly<Record<string, string | null>>;

const KINDS = ['endpoint', 'credentials', 'mode', 'access', 'joined'] as const;
const annotationOf = (kind: (typeof KINDS)[number], peer: string) => `meshctl.io/${kind}.${peer}`;

/** What was chosen for a peer of this cluster; what cannot be read counts as not chosen. */
export function choicesFor({ objects, namespace }: Pick<ClusterSnapshot, 'objects' | 'namespace'>, peer: string) {
  const secret = objects.get(keyOf(secretRef(namespace, AGENT_PEERS_SECRET)));
  const [endpoint, credentials, mode] = KINDS.map((kind) => secret?.metadata.annotations?.[annotationOf(kind, peer)]);
  const endpoints = (endpoint ?? '').split(',').flatMap((text) => parseEndpoint(text) ?? []);
  const choices: PeerChoices = {
    endpoints: endpoints.length > 0 ? endpoints : undefined,
    credentials: credentials === 'per-peer' || credentials === 'legacy' ? credentials : undefined,
    mode: CHOSEN_MODES.includes(mode ?? '') ? (mode as ChosenMode) : undefined,
  };
  return choices;
}

/** One annotation by which something is chosen for a peer. */
export interface PeerMark {
  /** Of the annotation. */
  name: string;
  kind: (typeof KINDS)[number];
  peer: string;
  value: string;
  /** Whether its value is one that this meshctl writes. */
  isKnown: boolean;
}

/** Which values there are of each. */
const VALUES: Readonly<Record<(typeof KINDS)[number], (value: string) => boolean>> = {
  endpoint: (value) => value.split(',').every((text) => parseEndpoint(text) !== undefined),
  credentials: (value) => value === 'per-peer' || value === 'legacy',
  mode: (value) => CHOSEN_MODES.includes(value),
  access: (value) => value === 'let-in',
  joined: (value) => value === 'invitation',
};

/** Whoever compares each cluster with every other one asks it as often. */
const marksAt = rememberedOf(({ metadata: { annotations = {} } }: KubeObject): readonly PeerMark[] =>
  Object.entries(annotations).flatMap(([name, value]) =>
    KINDS.flatMap((kind) => {
      const prefix = annotationOf(kind, '');
      return name.startsWith(prefix)
        ? [{ name, kind, peer: name.slice(prefix.length), value, isKnown: VALUES[kind](value) }]
        : [];
    }),
  ),
);

/** Everything that is written down of peers, known or not. */
export function marksOf({ objects, namespace }: ClusterObjects): readonly PeerMark[] {
  const secret = objects.get(keyOf(secretRef(namespace, AGENT_PEERS_SECRET)));
  return secret ? marksAt(secret) : [];
}

type Named = { snapshot: ClusterObjects; identity: { name: string } };

/**
 * Whether it was chosen that `client` dials `server` and not the other way round. Both sides write it down, and either's
 * word counts: the other Secret may have been lost.
 */
export function dialsOneWay(client: Named, server: Named): boolean {
  return (
    choicesFor(client.snapshot, server.identity.name).mode === 'unicast' ||
    choicesFor(server.snapshot, client.identity.name).mode === 'served'
  );
}

/**
 * The peers that dial this cluster one-way, as chosen: those that it does not dial; also where how they are connected is written down
 * in a word that is not known here.
 * @param dialled by this cluster
 */
export function servedPeers(snapshot: ClusterObjects, dialled: readonly string[]): string[] {
  const unknown = marksOf(snapshot).flatMap(({ kind, peer, isKnown }) => (kind === 'mode' && !isKnown ? [peer] : []));
  const served = peersMarked(snapshot, 'mode', 'served' satisfies ChosenMode);
  return [...served, ...unknown].filter((peer) => !dialled.includes(peer)).sort();
}

/** The peers that this cluster is to dial one-way, as chosen, whether it has a file for them or not. */
export function dialledOneWay(snapshot: ClusterObjects): string[] {
  return peersMarked(snapshot, 'mode', 'unicast' satisfies ChosenMode);
}

/** The peers that dial this cluster although no file of it names them: their users hang on what is written down. */
export function peersLetIn(snapshot: ClusterObjects): string[] {
  return [
    ...new Set([...peersMarked(snapshot, 'mode', 'served'), ...peersMarked(snapshot, 'access', 'let-in')]),
  ].sort();
}

/** The peers of other owners, which were joined by messages. */
export function peersOfOthers(snapshot: ClusterObjects): string[] {
  return peersMarked(snapshot, 'joined', 'invitation');
}

type ClusterObjects = Pick<ClusterSnapshot, 'objects' | 'namespace'>;

function peersMarked({ objects, namespace }: ClusterObjects, kind: (typeof KINDS)[number], wanted: string): string[] {
  const secret = objects.get(keyOf(secretRef(namespace, AGENT_PEERS_SECRET)));
  const prefix = annotationOf(kind, '');
  return Object.entries(secret?.metadata.annotations ?? {})
    .filter(([name, value]) => name.startsWith(prefix) && value === wanted)
    .map(([name]) => name.slice(prefix.length))
    .sort();
}

/** The marks of choices that are made now: null in a field takes the mark away, absent leaves it. */
export function marksFor(peer: string, choices: { [K in keyof PeerChoices]?: PeerChoices[K] | null }): Marks {
  const { endpoints, credentials, mode, access, joined } = choices;
  const values = {
    endpoint: endpoints === null ? null : endpoints?.map(({ host, port }) => hostPort(host, port)).join(','),
    credentials,
    mode,
    access,
    joined,
  };
  return Object.fromEntries(
    KINDS.flatMap((kind) => (values[kind] === undefined ? [] : [[annotationOf(kind, peer), values[kind]]])),
  );
}

/** Marks one by one: of which peer, of what, and the choice that is made; null where one is taken back. */
export function choicesIn(marks: Marks): { peer: string; kind: keyof PeerChoices; value: string | null }[] {
  return Object.entries(marks).flatMap(([name, value]) =>
    KINDS.flatMap((kind) => {
      const prefix = annotationOf(kind, '');
      const field = kind === 'endpoint' ? ('endpoints' as const) : kind;
      return name.startsWith(prefix) ? [{ peer: name.slice(prefix.length), kind: field, value }] : [];
    }),
  );
}

/** Whether marks choose, or choose no longer, at which addresses a peer is dialled. */
export function choosesEndpoints(peer: string, marks: Marks): boolean {
  return annotationOf('endpoint', peer) in marks;
}

/** Whether marks take a choice of addresses back. */
export function dropsEndpoints(peer: string, marks: Marks): boolean {
  return marks[annotationOf('endpoint', peer)] === null;
}

/** Takes every mark of a peer away, also that it was to leave. */
export function noMarks(peer: string): Marks {
  const choices = marksFor(peer, { endpoints: null, credentials: null, mode: null, access: null, joined: null });
  return { ...choices, ...leavingMark(peer, null) };
}

/** Whether anything is still written down of a peer once these marks are set: of whom they say nothing, too. */
export function isMarkedAfter(live: KubeObject, marks: Marks): boolean {
  const after: Marks = { ...live.metadata.annotations, ...marks };
  return Object.entries(after).some(
    ([name, value]) => value !== null && KINDS.some((kind) => name.startsWith(annotationOf(kind, ''))),
  );
}

/** Whether anything is written down of a peer. */
export function isMarked({ objects, namespace }: ClusterObjects, peer: string): boolean {
  const { annotations = {} } = objects.get(keyOf(secretRef(namespace, AGENT_PEERS_SECRET)))?.metadata ?? {};
  return KINDS.some((kind) => annotationOf(kind, peer) in annotations);
}

/** Those marks that an object does not have as they shall be. */
export function differingMarks(live: KubeObject | undefined, marks: Marks): Marks {
  const present = live?.metadata.annotations ?? {};
  return Object.fromEntries(Object.entries(marks).filter(([name, value]) => (present[name] ?? null) !== value));
}
