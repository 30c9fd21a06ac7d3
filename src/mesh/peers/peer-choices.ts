import { type Endpoint, hostPort } from '../apiserver/endpoints.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { type KubeObject, keyOf } from '../objects/kube-object.ts';
import { AGENT_PEERS_SECRET, secretRef } from '../objects/names.ts';
import type { ConnectionMode } from './connection-mode.ts';
import type { CredentialKind } from './credential-kind.ts';
import { parseEndpoint } from './endpoint-overrides.ts';

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
  /** `unicast`: the peer shall not dial back. */
  mode?: ConnectionMode | undefined;
}

/** Annotations to set, null for those that go. */
export type Marks = Readonly<Record<string, string | null>>;

const KINDS = ['endpoint', 'credentials', 'mode'] as const;
const annotationOf = (kind: (typeof KINDS)[number], peer: string) => `meshctl.io/${kind}.${peer}`;

/** What was chosen for a peer of this cluster; what cannot be read counts as not chosen. */
export function choicesFor({ objects, namespace }: Pick<ClusterSnapshot, 'objects' | 'namespace'>, peer: string) {
  const secret = objects.get(keyOf(secretRef(namespace, AGENT_PEERS_SECRET)));
  const [endpoint, credentials, mode] = KINDS.map((kind) => secret?.metadata.annotations?.[annotationOf(kind, peer)]);
  const endpoints = (endpoint ?? '').split(',').flatMap((text) => parseEndpoint(text) ?? []);
  const choices: PeerChoices = {
    endpoints: endpoints.length > 0 ? endpoints : undefined,
    credentials: credentials === 'per-peer' || credentials === 'legacy' ? credentials : undefined,
    mode: mode === 'unicast' ? mode : undefined,
  };
  return choices;
}

/** The marks of choices that are made now: null in a field takes the mark away, absent leaves it. */
export function marksFor(peer: string, choices: { [K in keyof PeerChoices]?: PeerChoices[K] | null }): Marks {
  const { endpoints, credentials, mode } = choices;
  const values = {
    endpoint: endpoints === null ? null : endpoints?.map(({ host, port }) => hostPort(host, port)).join(','),
    credentials,
    mode,
  };
  return Object.fromEntries(
    KINDS.flatMap((kind) => (values[kind] === undefined ? [] : [[annotationOf(kind, peer), values[kind]]])),
  );
}

/** Takes every mark of a peer away. */
export function noMarks(peer: string): Marks {
  return marksFor(peer, { endpoints: null, credentials: null, mode: null });
}

/** Those marks that an object does not have as they shall be. */
export function differingMarks(live: KubeObject | undefined, marks: Marks): Marks {
  const present = live?.metadata.annotations ?? {};
  return Object.fromEntries(Object.entries(marks).filter(([name, value]) => (present[name] ?? null) !== value));
}
