import { runsKvstoremesh } from '../apiserver/deployment.ts';
import { restartAgents } from '../cilium/restart-agents.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { type KubeObject, keyOf, type ObjectRef } from '../objects/kube-object.ts';
import {
  APISERVER,
  agentDaemonSetRef,
  apiserverDeploymentRef,
  CA_SECRET,
  configMapRef,
  LOCAL_CERT_SECRET,
  REMOTE_CERT_SECRET,
  SERVER_CERT_SECRET,
  secretRef,
} from '../objects/names.ts';
import { restartWorkloads } from '../objects/restart.ts';
import { templateSpec } from '../objects/workload.ts';
import type { TrustBundle } from './certificate.ts';
import { CERTIFICATE_SECRETS } from './cluster-certificates.ts';
import { isSameKey, isStoredWith, issuerOf } from './trust.ts';

/**
 * Where programs have the CAs from by which they verify, where that is not the Secret of their certificate: the bundle that
 * whoever installed Cilium keeps (Cilium's chart, `tls.caBundle`; cilium-cli sets it for clusters with different CAs).
 */
export interface CaBundle {
  kind: 'ConfigMap' | 'Secret';
  name: string;
  /** The key that holds the certificates. */
  key: string;
}

/** What mounts certificates with the CAs by which they go, each by one volume that has always both. */
const MOUNTS = { agents: 'clustermesh-secrets', apiserver: 'etcd-server-secrets' } as const;
/** What a CA is mounted as: etcd's own, and those by which peers and the own cache are known. */
const CA_FILE = /^(ca|(common|local)-etcd-client-ca)\.crt$/;

/** The bundle that what mounts a volume goes by; undefined where its CAs stand beside its certificates. */
function bundleIn(workload: KubeObject | undefined, volume: string): CaBundle | undefined {
  const { projected } = templateSpec(workload).volumes?.find(({ name }) => name === volume) ?? {};
  const found = (projected?.sources ?? []).flatMap(({ configMap, secret }) =>
    [
      { kind: 'ConfigMap' as const, ...configMap },
      { kind: 'Secret' as const, ...secret },
    ].flatMap(({ kind, name, items = [] }): CaBundle[] => {
      const item = items.find(({ path }) => CA_FILE.test(path));
      return name === undefined || !item || CERTIFICATE_SECRETS.includes(name) ? [] : [{ kind, name, key: item.key }];
    }),
  );
  return found[0];
}

type Mounted = Pick<ClusterSnapshot, 'objects' | 'namespace'>;

/**
 * The bundle by which whoever presents a cluster's own certificate verifies the other side. The chart makes all from one value:
 * of agents that were not read, the clustermesh-apiserver tells, and of one that is not there, they do.
 * @param secret the Secret of the certificate
 */
export function bundleBeside({ objects, namespace }: Mounted, secret: string): CaBundle | undefined {
  if (!CERTIFICATE_SECRETS.includes(secret)) return undefined;
  const deployment = objects.get(keyOf(apiserverDeploymentRef(namespace)));
  const daemonSet = objects.get(keyOf(agentDaemonSetRef(namespace)));
  const isAgents =
    secret === LOCAL_CERT_SECRET || (secret === REMOTE_CERT_SECRET && runsKvstoremesh(deployment) === false);
  return (isAgents && daemonSet) || !deployment
    ? bundleIn(daemonSet, MOUNTS.agents)
    : bundleIn(deployment, MOUNTS.apiserver);
}

/** The objects with the bundles that a cluster's programs go by: none in most. */
export function bundleRefs(cluster: Mounted): ObjectRef[] {
  const bundles = CERTIFICATE_SECRETS.flatMap((secret) => bundleBeside(cluster, secret) ?? []);
  const refs = bundles.map((bundle) => bundleRef(bundle, cluster.namespace));
  return [...new Map(refs.map((ref) => [keyOf(ref), ref])).values()];
}

/** The object that holds a bundle. */
export function bundleRef({ kind, name }: CaBundle, namespace: string): ObjectRef {
  return kind === 'ConfigMap' ? configMapRef(namespace, name) : secretRef(namespace, name);
}

/** That a bundle lacks a CA without which nothing connects, as a clause. */
export function saysLacking({ object }: Pick<TrustBundle, 'object'>): string {
  return `its programs go by the CAs of ${object}, and the CA of its certificates is not among them`;
}

/** Where whoever installed Cilium keeps a bundle. */
const WHERE_MADE = "where that is made (tls.caBundle in the values of Cilium's chart)";

/**
 * How a bundle gets a CA that it lacks, as a sentence that ends with a command: no command of meshctl writes to it, and what runs
 * goes on by what it was started with (etcd reads its CAs only then).
 * @param holder the cluster whose programs go by it
 * @param owner the cluster whose CA it lacks
 */
export function completeBundle(
  { object }: Pick<TrustBundle, 'object'>,
  holder: ReadBundle & Signed,
  owner: Pick<ClusterSnapshot, 'context'> & Signed = holder,
): string {
  const isOwn = owner.context === holder.context;
  const [of, at] = isOwn ? ['', ''] : [` of context "${owner.context}"`, ` of context "${holder.context}"`];
  return `Add ${whereAuthority(owner)}${of} to ${object}${at}, ${WHERE_MADE}; then restart what goes by it: ${restart(holder)}`;
}

type Signed = Pick<ClusterSnapshot, 'ca' | 'tlsSecrets'>;

/** Where the CA of a cluster's certificates is found: an issuer of cert-manager's is in no Secret cilium-ca, but beside what it issues. */
function whereAuthority({ ca, tlsSecrets }: Signed): string {
  const server = tlsSecrets.get(SERVER_CERT_SECRET);
  const issuer = server && issuerOf(server);
  if (!server || !issuer || isSameKey(issuer, ca?.certificate)) return `the CA of Secret ${CA_SECRET}`;
  const isBeside = isStoredWith(server, issuer);
  return isBeside ? `the CA in ca.crt of Secret ${SERVER_CERT_SECRET}` : `the CA of its certificates`;
}

/** How peers are shut out that log in with a certificate of a CA in a bundle, as the end of a sentence that ends with a command. */
export function takeFromBundle({ object }: Pick<TrustBundle, 'object'>, holder: ReadBundle): string {
  return `take its CA out of ${object}, ${WHERE_MADE}, which shuts out who else is of that CA, then restart what goes by it: ${restart(holder)}`;
}

type ReadBundle = Mounted & Pick<ClusterSnapshot, 'context'>;

/** Starts anew what verifies peers by a bundle: with KVStoreMesh, agents dial only their own cluster. */
function restart(holder: ReadBundle): string {
  const isCached = runsKvstoremesh(holder.objects.get(keyOf(apiserverDeploymentRef(holder.namespace))));
  const served = `deployment/${APISERVER}`;
  return isCached ? restartWorkloads(holder, [served]) : restartAgents(holder, [served]);
}

/**
 * How a CA is replaced where programs go by a bundle, which nothing that meshctl writes reaches: whatever the CA that it puts in
 * place signed would be refused. As the end of a sentence.
 */
export function replaceInBundle({ object }: Pick<TrustBundle, 'object'>): string {
  return `rotate the CA with what makes ${object} (tls.caBundle in the values of Cilium's chart): a new CA has to be there, in every cluster, before it signs anything`;
}
