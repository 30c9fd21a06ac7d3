import { type EnableObstacles, enableAdvice } from '../certificates/authority.ts';
import { clocksApart, saysApart, setClocksRight } from '../cluster-clocks.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import {
  type CommandPlace,
  connectCommand,
  describeCommand,
  kubectlCommand,
  meshctlCommand,
  unnamedContext,
} from '../command-line.ts';
import {
  AGENT_CONTAINER,
  AGENT_PEERS_SECRET,
  AGENT_SELECTOR,
  AGENT_TROUBLESHOOT,
  APISERVER,
  APISERVER_SELECTOR,
  KVSTOREMESH_CONTAINER,
  KVSTOREMESH_PEERS_SECRET,
  KVSTOREMESH_TROUBLESHOOT,
} from '../objects/names.ts';
import { restartWorkloads } from '../objects/restart.ts';

/** Why a node is not connected to a peer, as classes; each has its words and the next step for the operator. */
export type FailureClass =
  | 'not-configured'
  | 'not-taken-up'
  | 'cannot-resolve'
  | 'refused'
  | 'timed-out'
  | 'tls-unknown-ca'
  | 'tls-expired'
  | 'tls-name'
  | 'tls-usage'
  | 'tls-client-rejected'
  | 'permission-denied'
  | 'config-invalid'
  | 'config-not-retrieved'
  | 'wrong-cluster'
  | 'syncing'
  | 'starting'
  | 'agent-unreachable'
  | 'own-apiserver-missing'
  | 'unknown';

/** Patterns of what Go's TLS, net and etcd packages and Cilium's agent say, the most telling first. */
const PATTERNS: readonly [FailureClass, RegExp][] = [
  ['tls-expired', /certificate has expired|not yet valid|expired certificate/i],
  ['tls-name', /certificate is (not )?valid for|doesn't contain any IP SANs|cannot validate certificate for/i],
  ['tls-usage', /incompatible key usage/i],
  // The client itself gives up where no CA that the server names has issued its certificate (pkg/kvstore/etcd_debug.go).
  [
    'tls-client-rejected',
    /not signed by any acceptable CA|remote error: tls|bad certificate|certificate required|tls: (unknown|bad) certificate/i,
  ],
  ['tls-unknown-ca', /unknown authority|self[- ]signed certificate|unable to verify|crypto\/rsa: verification error/i],
  ['permission-denied', /permission denied|authentication failed|invalid auth token|user name is empty/i],
  // A DNS server that is silent gives time-outs of its own: they say nothing of the peer.
  ['cannot-resolve', /no such host|server misbehaving|ENOTFOUND|name resolution|resolve hostname|\blookup \S+ on /i],
  // A load balancer without a backend may take the connection and reset or close it.
  ['refused', /connection refused|connection reset|ECONNREFUSED|ECONNRESET|connection: EOF|: EOF$|to \S+: EOF/i],
  ['timed-out', /i\/o timeout|deadline exceeded|timed out|no route to host|network is unreachable|ETIMEDOUT/i],
  ['wrong-cluster', /unexpected cluster|cluster ?id.*(mismatch|conflict|reserved|already)|name.*mismatch/i],
  ['config-invalid', /(yaml|unmarshal|parse|parsing|no endpoints|no such file|failed to (find|read|load)|invalid).*/i],
  ['config-not-retrieved', /retriev\w+ .*config|cluster configuration/i],
  ['syncing', /synchroni[sz]|bootstrap/i],
  ['starting', /waiting for (initial|first) connection|connecting/i],
];

/** The class of a message of an agent or of KVStoreMesh. */
export function classifyFailure(message: string): FailureClass {
  return PATTERNS.find(([, pattern]) => pattern.test(message))?.[0] ?? 'unknown';
}

/** What failed where; enough to say what to do. */
export interface FailurePlace {
  /** Of the cluster that lacks the peer. */
  context: string;
  namespace: string;
  peer: string;
  /** The peer's own context, where it is known. */
  peerContext?: string | undefined;
  /** Cilium's namespace in the peer's cluster, where that was asked too; else taken to be the same. */
  peerNamespace?: string | undefined;
  /** Who lacks it; default an agent. */
  component?: 'agent' | 'kvstoremesh';
  /** With KVStoreMesh, agents read the peer's state from their own cluster's clustermesh-apiserver. */
  kvstoremesh?: boolean;
  /** Contexts of further clusters that lack the peer for the same reason. */
  alsoFrom?: readonly string[] | undefined;
  /** The pod of the example. */
  pod?: string | undefined;
  /** It is connected, and only did not let itself be asked for a new connection. */
  untried?: boolean | undefined;
  /** The clusters whose clocks may be why, with how far these are ahead of the time of the run, as far as that is known. */
  clocks?: readonly Pick<ClusterSnapshot, 'context' | 'clockAheadMs'>[] | undefined;
  /** All that the connection goes by was read, at both ends, and nothing of it is a fault. */
  isSound?: boolean | undefined;
  /** Of clusters, by context, what keeps `enable` alone from being taken. */
  obstacles?: ReadonlyMap<string, EnableObstacles> | undefined;
}

interface Advice {
  /** In the operator's words, without the peer's name. @param server who is dialled */
  says(server: ServerWords, place: FailurePlace): string;
  /** What to do next; a command where one exists. */
  hint(place: FailurePlace): string;
}

/** How one speaks of the clustermesh-apiserver that is dialled. */
interface ServerWords {
  /** `the peer's clustermesh-apiserver`. */
  apiserver: string;
  /** The same where no server but a cluster is meant: `the peer`. */
  who: string;
}

const PEER: ServerWords = { apiserver: "the peer's clustermesh-apiserver", who: 'the peer' };
const OWN: ServerWords = {
  apiserver: "this cluster's clustermesh-apiserver",
  who: "this cluster's clustermesh-apiserver",
};

/** Whether the server that is dialled is the own cluster's. */
export function dialsOwnServer({
  component = 'agent',
  kvstoremesh = false,
}: Pick<FailurePlace, 'component' | 'kvstoremesh'>): boolean {
  return component === 'agent' && kvstoremesh;
}

/** Where the clustermesh-apiserver that is dialled runs. */
function serverPlace(place: FailurePlace): { context: string; namespace: string } {
  const { context, namespace, peer, peerContext, peerNamespace } = place;
  if (dialsOwnServer(place)) return { context, namespace };
  return { context: peerContext ?? unnamedContext(peer), namespace: peerNamespace ?? namespace };
}

/** The command that renews what the connection needs; where several clusters lack one peer, one command for all. */
function mend(place: FailurePlace): string {
  return dialsOwnServer(place) ? enableServer(place) : connectAnew(place);
}

/** Writes the peering files anew, with what they name. */
function connectAnew({ context, alsoFrom = [], ...place }: FailurePlace): string {
  const peer = place.peerContext ?? unnamedContext(place.peer);
  return alsoFrom.length === 0 ? connectCommand(context, peer) : connectCommand(peer, [context, ...alsoFrom]);
}

/** Makes whole what the server that is dialled has. */
function enableServer(place: FailurePlace): string {
  const server = serverPlace(place);
  return enableAdvice({ ...server, ...place.obstacles?.get(server.context) });
}

const waitFor = ({ context }: FailurePlace) => meshctlCommand('clustermesh status', { context }, ['--wait']);

const TROUBLESHOOT = {
  agent: { anyPod: 'ds/cilium', container: AGENT_CONTAINER, program: AGENT_TROUBLESHOOT },
  kvstoremesh: { anyPod: `deploy/${APISERVER}`, container: KVSTOREMESH_CONTAINER, program: KVSTOREMESH_TROUBLESHOOT },
};

/** Makes a new connection and says how each step of it goes, where it failed: from another node it may well be made. */
function troubleshoot(place: FailurePlace): string {
  const { anyPod, container, program } = TROUBLESHOOT[place.component ?? 'agent'];
  return kubectlCommand(place, ['exec', place.pod ?? anyPod, '-c', container, '--', ...program, place.peer]);
}

/** Shows the Deployment with its wanted replicas, also where there is no pod to be seen, and why there is none. */
const describePeersServer = (place: FailurePlace) => describeServer(serverPlace(place));

/** The command that shows a cluster's own clustermesh-apiserver: its Deployment, also where no pod is there. */
export function describeServer(place: CommandPlace): string {
  return describeCommand(place, 'deployment', { name: APISERVER });
}

const isAsked = ({ peerNamespace }: FailurePlace) => peerNamespace !== undefined;

/** Of a peer that was not asked it is not known whether it has a server at all: its own status says. */
const lookAtBoth = (place: FailurePlace) =>
  meshctlCommand('clustermesh status', { context: [place.context, serverPlace(place).context] });

/** Sends packets between the clusters; undefined where no context is known that leads to the peer. */
function probeCommand({ context, alsoFrom = [], peerContext }: FailurePlace): string | undefined {
  return peerContext === undefined
    ? undefined
    : meshctlCommand('connectivity probe', { context: [context, ...alsoFrom, peerContext] });
}

/** Why a peer may be missing there for as long as RETAKEN_WITHIN_MS (mesh/objects/last-change.ts). */
export const RETAKES = 'a peer that was disconnected is taken up again only three minutes later';

/** Words and next step of each class. */
export const ADVICE: Readonly<Record<FailureClass, Advice>> = {
  'not-configured': {
    says: (_server, { component }) =>
      component === 'kvstoremesh'
        ? `KVStoreMesh has not taken the peer up yet: kubelets refresh mounted Secrets about every minute, and ${RETAKES}`
        : 'the peering file has not reached the node yet: kubelets refresh mounted Secrets about every minute',
    hint: waitFor,
  },
  'not-taken-up': {
    says: (_server, { component }) =>
      `the peering file is in Secret ${peersSecretOf(component)}, and has not reached the node for minutes`,
    hint: ({ context, namespace, component, pod }) => {
      const selector = component === 'kvstoremesh' ? APISERVER_SELECTOR : AGENT_SELECTOR;
      return describeCommand({ context, namespace }, 'pods', pod ? { name: pod } : { selector });
    },
  },
  'cannot-resolve': {
    says: ({ apiserver }) => `the host name of ${apiserver} cannot be resolved`,
    hint: (place) => `check DNS for the host name in the peering file, then: ${mend(place)}`,
  },
  refused: {
    says: ({ apiserver }) => `${apiserver} refuses connections`,
    hint: (place) => {
      const between = dialsOwnServer(place) ? undefined : probeCommand(place);
      if (!dialsOwnServer(place) && !isAsked(place)) return lookAtBoth(place);
      const server = describePeersServer(place);
      return between ? `see whether it runs, and whether a firewall refuses: ${server} && ${between}` : server;
    },
  },
  'timed-out': {
    says: ({ apiserver }) => `${apiserver} cannot be reached`,
    hint: (place) => {
      if (dialsOwnServer(place)) return describeServer(place);
      const between = probeCommand(place);
      const where = `check routes, VPN and firewalls from the nodes to the address of ${place.peer} (TCP 2379 or its NodePort)`;
      return between
        ? `${where}; probe the path; if open, see what is dialled: ${between} && ${troubleshoot(place)}`
        : `${where}, which this shows: ${troubleshoot(place)}`;
    },
  },
  'tls-unknown-ca': {
    says: ({ apiserver }) =>
      `the server certificate of ${apiserver} is signed by a different CA than the one trusted here`,
    hint: (place) =>
      dialsOwnServer(place)
        ? mend(place)
        : `renew that certificate and trust its CA: ${enableServer(place)} && ${mend(place)}`,
  },
  'tls-expired': {
    says: (_server, { isSound, clocks = [] }) => {
      if (!isSound) return 'a certificate has expired or is not valid yet';
      const apart = clocksApart(clocks);
      const why = apart.length > 0 ? `, as ${saysApart(apart)}` : '';
      return `a certificate was refused for its time, and is valid by the time of the clusters${why}`;
    },
    hint: (place) => {
      const { isSound, clocks = [] } = place;
      if (!isSound) return `check the clocks of both clusters, and renew it: ${enableServer(place)}`;
      if (clocksApart(clocks).length > 0) return setClocksRight(clocks.map(({ context }) => context));
      return `It passes with the next attempt where it was renewed just now; else the clock of a machine is wrong: ${waitFor(place)}`;
    },
  },
  'tls-name': {
    says: ({ apiserver }) => `the server certificate of ${apiserver} does not cover the address that is dialled`,
    hint: mend,
  },
  'tls-usage': {
    says: ({ apiserver }) => `the server certificate of ${apiserver} is not for server use`,
    hint: (place) => `renew it: ${enableServer(place)}`,
  },
  'tls-client-rejected': {
    says: ({ who }) => `${who} does not accept the client certificate`,
    hint: mend,
  },
  'permission-denied': {
    says: ({ who }) => `${who} does not let this cluster in (no such etcd user, or not its role)`,
    hint: mend,
  },
  'config-invalid': {
    says: () => 'the peering file or a certificate file is missing or cannot be read',
    // The files of agents lead to their own cluster's etcd, by a certificate that enable makes; they are written by connect.
    hint: (place) => (dialsOwnServer(place) ? `${enableServer(place)} && ${connectAnew(place)}` : connectAnew(place)),
  },
  'config-not-retrieved': {
    says: () => "the peer's cluster configuration has not been read: it is not published, or another cluster answers",
    // What agents read of a peer in their own cluster's etcd, KVStoreMesh has put there.
    hint: (place) => {
      const workload = `deployment/${APISERVER}`;
      const writer = dialsOwnServer(place) ? 'kvstoremesh' : 'apiserver';
      const look = kubectlCommand(serverPlace(place), ['logs', workload, '-c', writer]);
      // An etcd that has lost its data gets it again with its pod alone.
      const restart = restartWorkloads(serverPlace(place), [workload]);
      return `the log of what publishes it: ${look}; or let a new pod publish it, which takes a Deployment that is not paused: ${restart}`;
    },
  },
  'wrong-cluster': {
    says: () => "another cluster answers at the peer's address",
    hint: (place) =>
      `compare cluster-name and cluster-id of ${place.peer} with the peering file (two clusters with one NodePort dial themselves): ${troubleshoot(place)}`,
  },
  syncing: {
    says: () => "connected, still reading the peer's state",
    hint: waitFor,
  },
  starting: {
    says: () => 'waiting for the first connection',
    // For as long as a client of etcd waits that was made with a former CA (initialConnectionTimeout in pkg/kvstore/etcd.go).
    hint: ({ context }) => {
      const wait = meshctlCommand('clustermesh status', { context }, ['--wait', '--wait-duration', '16m']);
      return `It passes with the next attempt, or within 15 minutes where a CA was replaced meanwhile: ${wait}`;
    },
  },
  'agent-unreachable': {
    says: (_server, { component, untried }) =>
      `the ${component === 'kvstoremesh' ? 'KVStoreMesh replica' : 'agent'} could not be ${untried ? 'asked to make one' : 'queried'}`,
    hint: (place) => {
      const app = place.component === 'kvstoremesh' ? APISERVER_SELECTOR : AGENT_SELECTOR;
      return kubectlCommand(place, ['get', 'pods', '-l', app, '-o', 'wide']);
    },
  },
  'own-apiserver-missing': {
    says: ({ apiserver }) => `${apiserver}, from which agents read the state of peers, is missing`,
    hint: enableServer,
  },
  unknown: {
    says: () => 'not ready',
    hint: troubleshoot,
  },
};

/** The words and the next step for what failed somewhere. */
export function adviceForFailure(failure: FailureClass, place: FailurePlace): { says: string; hint: string } {
  const { says, hint } = ADVICE[failure];
  // Agents behind KVStoreMesh dial their own cluster's server, which is not the peer's.
  return { says: says(dialsOwnServer(place) ? OWN : PEER, place), hint: hint(place) };
}

function peersSecretOf(component: FailurePlace['component']): string {
  return component === 'kvstoremesh' ? KVSTOREMESH_PEERS_SECRET : AGENT_PEERS_SECRET;
}
