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
  | 'peer-data-missing'
  | 'syncing'
  | 'starting'
  | 'agent-unreachable'
  | 'unknown';

/** Patterns of what Go's TLS, net and etcd packages and Cilium's agent say, the most telling first. */
const PATTERNS: readonly [FailureClass, RegExp][] = [
  ['tls-expired', /certificate has expired|not yet valid|expired certificate/i],
  ['tls-name', /certificate is (not )?valid for|doesn't contain any IP SANs|cannot validate certificate for/i],
  ['tls-client-rejected', /remote error: tls|bad certificate|certificate required|tls: (unknown|bad) certificate/i],
  ['tls-unknown-ca', /unknown authority|self[- ]signed certificate|unable to verify|crypto\/rsa: verification error/i],
  ['permission-denied', /permission denied|authentication failed|invalid auth token|user name is empty/i],
  ['cannot-resolve', /no such host|server misbehaving|ENOTFOUND|name resolution/i],
  ['refused', /connection refused|ECONNREFUSED/i],
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

interface Advice {
  /** In the operator's words, without the peer's name. */
  says: string;
  /** What to do next; a command where one exists. */
  hint(where: { context: string; namespace: string; peer: string }): string;
}

const reconnect = ({ context, peer }: { context: string; peer: string }) =>
  `meshctl clustermesh connect --context ${context} --destination-context <context of ${peer}>`;

/** Words and next step of each class. */
export const ADVICE: Readonly<Record<FailureClass, Advice>> = {
  'not-configured': {
    says: 'the peering file has not reached the node yet',
    hint: ({ context, namespace }) =>
      `kubelets refresh mounted Secrets about every minute; if it stays so: kubectl --context ${context} -n ${namespace} get secret cilium-clustermesh`,
  },
  'cannot-resolve': {
    says: "the peer's host name cannot be resolved",
    hint: (where) => `check DNS for the peer's load balancer, then ${reconnect(where)}`,
  },
  refused: {
    says: "the peer's clustermesh-apiserver refuses connections",
    hint: ({ peer, namespace }) =>
      `kubectl --context <context of ${peer}> -n ${namespace} get pods -l k8s-app=clustermesh-apiserver`,
  },
  'timed-out': {
    says: "the peer's clustermesh-apiserver cannot be reached",
    hint: ({ peer }) =>
      `check routes, VPN and firewalls from the nodes to the address of ${peer} (TCP 2379 or its NodePort)`,
  },
  'tls-unknown-ca': {
    says: "the peer's server certificate is signed by another CA than the one trusted here",
    hint: (where) => `the CA of ${where.peer} has changed: ${reconnect(where)}`,
  },
  'tls-expired': {
    says: 'a certificate has expired or is not valid yet',
    hint: ({ peer }) =>
      `meshctl clustermesh enable --context <context of ${peer}> renews it; also check the clocks of both clusters`,
  },
  'tls-name': {
    says: "the peer's server certificate does not cover the address that is dialled",
    hint: (where) => reconnect(where),
  },
  'tls-client-rejected': {
    says: 'the peer does not accept the client certificate',
    hint: (where) => reconnect(where),
  },
  'permission-denied': {
    says: 'the peer does not let this cluster in (no such etcd user, or not its role)',
    hint: (where) => reconnect(where),
  },
  'config-invalid': {
    says: 'the peering file or a certificate file is missing or cannot be read',
    hint: (where) => reconnect(where),
  },
  'config-not-retrieved': {
    says: "the peer's cluster configuration has not been read",
    hint: ({ peer, namespace }) =>
      `kubectl --context <context of ${peer}> -n ${namespace} logs deployment/clustermesh-apiserver -c apiserver`,
  },
  'wrong-cluster': {
    says: 'another cluster answers at the peer’s address',
    hint: ({ peer }) =>
      `compare cluster-name and cluster-id of ${peer} with the peering file; two clusters with one NodePort dial themselves`,
  },
  'peer-data-missing': {
    says: 'KVStoreMesh has no data of the peer yet',
    hint: ({ context, namespace }) =>
      `kubectl --context ${context} -n ${namespace} logs deployment/clustermesh-apiserver -c kvstoremesh`,
  },
  syncing: {
    says: 'connected, still reading the peer’s state',
    hint: ({ context }) => `meshctl clustermesh status --context ${context} --wait`,
  },
  starting: {
    says: 'waiting for the first connection',
    hint: ({ context }) => `meshctl clustermesh status --context ${context} --wait`,
  },
  'agent-unreachable': {
    says: 'the agent could not be asked',
    hint: ({ context, namespace }) => `kubectl --context ${context} -n ${namespace} get pods -l k8s-app=cilium -o wide`,
  },
  unknown: {
    says: 'not ready',
    hint: ({ context, namespace, peer }) =>
      `kubectl --context ${context} -n ${namespace} exec ds/cilium -c cilium-agent -- cilium-dbg troubleshoot clustermesh ${peer}`,
  },
};
