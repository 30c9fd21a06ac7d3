import { kubectlCommand, meshctlCommand } from './command-line.ts';

/** Why a node is not connected to a peer, as classes; each has its words and the next step for the operator. */
export type FailureClass =
  | 'not-configured'
  | 'cannot-resolve'
  | 'refused'
  | 'timed-out'
  | 'tls-unknown-ca'
  | 'tls-expired'
  | 'tls-name'
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
  ['tls-client-rejected', /remote error: tls|bad certificate|certificate required|tls: (unknown|bad) certificate/i],
  ['tls-unknown-ca', /unknown authority|self[- ]signed certificate|unable to verify|crypto\/rsa: verification error/i],
  ['permission-denied', /permission denied|authentication failed|invalid auth token|user name is empty/i],
  ['cannot-resolve', /no such host|server misbehaving|ENOTFOUND|name resolution/i],
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
  /** Cilium's namespace in the peer's cluster, where it is known; else taken to be the same. */
  peerNamespace?: string | undefined;
  /** Who lacks it; default an agent. */
  component?: 'agent' | 'kvstoremesh';
  /** With KVStoreMesh, agents read the peer's state from their own cluster's clustermesh-apiserver. */
  kvstoremesh?: boolean;
}

interface Advice {
  /** In the operator's words, without the peer's name. */
  says: string;
  /** What to do next; a command where one exists. */
  hint(place: FailurePlace): string;
}

/** Whether the server that is dialled is the own cluster's. */
function dialsOwnServer({ component = 'agent', kvstoremesh = false }: FailurePlace): boolean {
  return component === 'agent' && kvstoremesh;
}

/** Where the clustermesh-apiserver that is dialled runs. */
function serverPlace(place: FailurePlace): { context: string; namespace: string } {
  const { context, namespace, peer, peerContext, peerNamespace } = place;
  if (dialsOwnServer(place)) return { context, namespace };
  return { context: peerContext ?? `<context of ${peer}>`, namespace: peerNamespace ?? namespace };
}

/** The command that renews what the connection needs. */
function mend(place: FailurePlace): string {
  return dialsOwnServer(place)
    ? enable(place)
    : meshctlCommand('clustermesh connect', { context: place.context }, [
        '--destination-context',
        serverPlace(place).context,
      ]);
}

const enable = ({ context }: { context: string }) => meshctlCommand('clustermesh enable', { context });

const waitFor = ({ context }: FailurePlace) => meshctlCommand('clustermesh status', { context }, ['--wait']);

const SERVER_LABEL = 'k8s-app=clustermesh-apiserver';

const IN_AGENT = 'ds/cilium -c cilium-agent -- cilium-dbg troubleshoot clustermesh'.split(' ');
const IN_KVSTOREMESH = (
  'deploy/clustermesh-apiserver -c kvstoremesh -- ' + '/usr/bin/clustermesh-apiserver kvstoremesh-dbg troubleshoot'
).split(' ');

/** Words and next step of each class. */
export const ADVICE: Readonly<Record<FailureClass, Advice>> = {
  'not-configured': {
    says: 'the peering file has not reached the node yet',
    hint: (place) => {
      const secret = place.component === 'kvstoremesh' ? 'cilium-kvstoremesh' : 'cilium-clustermesh';
      return `kubelets refresh mounted Secrets about every minute; if it stays so: ${kubectlCommand(place, ['get', 'secret', secret])}`;
    },
  },
  'cannot-resolve': {
    says: "the peer's host name cannot be resolved",
    hint: (place) => `check DNS for the host name in the peering file, then: ${mend(place)}`,
  },
  refused: {
    says: "the peer's clustermesh-apiserver refuses connections",
    hint: (place) => kubectlCommand(serverPlace(place), ['get', 'pods', '-l', SERVER_LABEL]),
  },
  'timed-out': {
    says: "the peer's clustermesh-apiserver cannot be reached",
    hint: (place) =>
      dialsOwnServer(place)
        ? kubectlCommand(serverPlace(place), ['get', 'pods,endpointslices', '-l', SERVER_LABEL])
        : `check routes, VPN and firewalls from the nodes to the address of ${place.peer} (TCP 2379 or its NodePort)`,
  },
  'tls-unknown-ca': {
    says: "the peer's server certificate is signed by another CA than the one trusted here",
    hint: (place) =>
      dialsOwnServer(place)
        ? mend(place)
        : `renew that certificate and trust its CA: ${enable(serverPlace(place))} && ${mend(place)}`,
  },
  'tls-expired': {
    says: 'a certificate has expired or is not valid yet',
    hint: (place) => `check the clocks of both clusters, and renew it: ${enable(serverPlace(place))}`,
  },
  'tls-name': {
    says: "the peer's server certificate does not cover the address that is dialled",
    hint: mend,
  },
  'tls-client-rejected': {
    says: 'the peer does not accept the client certificate',
    hint: mend,
  },
  'permission-denied': {
    says: 'the peer does not let this cluster in (no such etcd user, or not its role)',
    hint: mend,
  },
  'config-invalid': {
    says: 'the peering file or a certificate file is missing or cannot be read',
    hint: mend,
  },
  'config-not-retrieved': {
    says: "the peer's cluster configuration has not been read: it is not published, or another cluster answers",
    hint: (place) =>
      kubectlCommand(serverPlace(place), ['logs', 'deployment/clustermesh-apiserver', '-c', 'apiserver']),
  },
  'wrong-cluster': {
    says: 'another cluster answers at the peer’s address',
    hint: ({ peer }) =>
      `compare cluster-name and cluster-id of ${peer} with the peering file; two clusters with one NodePort dial themselves`,
  },
  syncing: {
    says: 'connected, still reading the peer’s state',
    hint: waitFor,
  },
  starting: {
    says: 'waiting for the first connection',
    hint: waitFor,
  },
  'agent-unreachable': {
    says: 'the agent could not be asked',
    hint: (place) => {
      const app = place.component === 'kvstoremesh' ? 'clustermesh-apiserver' : 'cilium';
      return kubectlCommand(place, ['get', 'pods', '-l', `k8s-app=${app}`, '-o', 'wide']);
    },
  },
  'own-apiserver-missing': {
    says: 'the own clustermesh-apiserver, from which agents read its state, is not there',
    hint: enable,
  },
  unknown: {
    says: 'not ready',
    hint: (place) =>
      kubectlCommand(place, ['exec', ...(place.component === 'kvstoremesh' ? IN_KVSTOREMESH : IN_AGENT), place.peer]),
  },
};

/** The words and the next step for what failed somewhere. */
export function adviceFor(failure: FailureClass, place: FailurePlace): { says: string; hint: string } {
  const { says, hint } = ADVICE[failure];
  if (failure === 'agent-unreachable' && place.component === 'kvstoremesh') {
    return { says: 'the KVStoreMesh replica could not be asked', hint: hint(place) };
  }
  // The same words hold for the server that agents dial behind KVStoreMesh, which is not the peer's.
  const whose = dialsOwnServer(place)
    ? says
        .replace(/^the peer's clustermesh-apiserver/, 'the own clustermesh-apiserver')
        .replace(/^the peer('s)? (?=server|host|does)/, (_all, owns) => `the own clustermesh-apiserver${owns ?? ''} `)
    : says;
  return { says: whose, hint: hint(place) };
}
