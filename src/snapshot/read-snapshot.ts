import type { ClusterClient } from '../kube/client.ts';
import { orRefusal, unlessForbidden, unlessRefused } from '../kube/unless-refused.ts';
import { authorityOfMesh } from '../mesh/certificates/authority.ts';
import { CERTIFICATE_SECRETS } from '../mesh/certificates/cluster-certificates.ts';
import type { CaFacts, ClusterSnapshot, Refused } from '../mesh/cluster-snapshot.ts';
import { dialingSecret } from '../mesh/connect/direction.ts';
import { MeshctlError } from '../mesh/errors.ts';
import { type KubeObject, keyOf, type ObjectRef } from '../mesh/objects/kube-object.ts';
import {
  AGENT_PEERS_SECRET,
  AGENT_SELECTOR,
  agentDaemonSetRef,
  apiserverDeploymentRef,
  apiserverServiceRef,
  CA_SECRET,
  CILIUM_CONFIG,
  configMapRef,
  KVSTOREMESH_PEERS_SECRET,
  REMOTE_USERS_CONFIGMAP,
  SERVER_CERT_SECRET,
  secretRef,
} from '../mesh/objects/names.ts';
import { dataOf, secretTexts } from '../mesh/objects/secret-data.ts';
import { USERS_FILE, usersLetIn } from '../mesh/peers/users/remote-users.ts';
import type { Authority } from '../pki/authority.ts';
import { keyMatches, readBundle, readCertificate } from '../pki/read.ts';
import { readMissingAccess } from './access.ts';
import { agentFactsOf, readAgents } from './agents.ts';
import { readGlobalServices } from './global-services.ts';
import { readApiserverPods, readNodes } from './nodes.ts';
import { readCiliumNodes, readPodAddresses, readServiceCidrs } from './pod-addresses.ts';
import { readChangingPolicies } from './policies.ts';
import { readProbes, readUsedNodePorts } from './probes.ts';
import { namespaceFacts, readIpsecKeyDigest, readNamespace } from './surroundings.ts';
import { readBundles, readTlsFacts } from './tls-facts.ts';

export interface SnapshotOptions {
  /** Cilium's. */
  namespace: string;
  /**
   * `disconnect` needs neither nodes, nor API groups, nor what only enable writes: it can run with fewer rights. `health` is
   * what agents and the clustermesh-apiserver mount; where a Secret of them may not be read, that is data: `unread`.
   * `certificates`: the objects that connect reads, without nodes and pods.
   */
  purpose: 'enable' | 'connect' | 'certificates' | 'disconnect' | 'health';
  /** Whether the account and the rights of the clustermesh-apiserver are looked for too; for `health` they are. */
  access?: boolean | undefined;
  /** Whether each agent's pod is read for what it runs, also where the DaemonSet says that all of them are of its template. */
  eachAgent?: boolean | undefined;
  /** Whether the Services that are global are read too. */
  services?: boolean | undefined;
  /** Further objects to read, e.g. those that the templates render. */
  refs?: readonly ObjectRef[] | undefined;
}

/**
 * Reads one cluster in one pass, all requests in parallel. What does not exist is data, not an error; the planner
 * words it. The CA's private key is left out of the snapshot.
 * Throws what the client throws, e.g. `ClusterUnreachable`, `Forbidden`.
 */
export async function readSnapshot(client: ClusterClient, options: SnapshotOptions): Promise<ClusterSnapshot> {
  const { namespace, purpose } = options;
  const full = purpose === 'enable' || purpose === 'connect';
  const daemonSetRef = agentDaemonSetRef(namespace);
  const refs = uniqueRefs([...fixedRefs(namespace, purpose), ...(options.refs ?? [])]);
  const authorityKey = keyOf(secretRef(namespace, CA_SECRET));
  const unread = new Set(refs.some((ref) => keyOf(ref) === authorityKey) ? [] : [authorityKey]);
  if (purpose === 'health') unread.add(keyOf(daemonSetRef));
  const needed = neededRefs(namespace).map(keyOf);
  const read = async (ref: ObjectRef): Promise<KubeObject | undefined> => {
    try {
      return await client.get(ref);
    } catch (error) {
      // To part, a bundle of CAs is not needed: it only tells whom another cluster's plan would cut off.
      const isSpare =
        purpose === 'health' || (purpose === 'disconnect' && !refs.some((one) => keyOf(one) === keyOf(ref)));
      const tolerated = isSpare && !needed.includes(keyOf(ref));
      if (!tolerated || !(error instanceof MeshctlError) || error.code !== 'Forbidden') throw error;
      unread.add(keyOf(ref));
      return undefined;
    }
  };
  const lives = refs.map(read);
  const deployment = lives[refs.findIndex((ref) => keyOf(ref) === keyOf(apiserverDeploymentRef(namespace)))];
  const apiGroupsRead = full ? client.apiGroups() : Promise.resolve([]);
  const probes = purpose === 'enable' ? apiGroupsRead.then((groups) => readProbes(client, groups)) : undefined;
  const nodePorts = purpose === 'enable' ? readUsedNodePorts(client, namespace) : undefined;
  const [
    version,
    apiGroups,
    probed,
    usedNodePorts,
    home,
    nodes,
    apiserverPods,
    ciliumNodes,
    serviceCidrs,
    ciliumConfig,
    readDaemonSet,
    live,
    missingAccess,
    services,
  ] =
    // Whatever is begun is in this list: what fails after something else has failed must have somebody who hears of it.
    await Promise.all([
      purpose === 'health' ? '' : client.version(),
      apiGroupsRead,
      probes,
      nodePorts,
      full ? readNamespace(client, namespace) : undefined,
      full ? readNodes(client) : [],
      full ? readApiserverPods(client, namespace) : undefined,
      purpose === 'connect' ? readCiliumNodes(client) : undefined,
      purpose === 'connect' ? readServiceCidrs(client) : undefined,
      client.get(configMapRef(namespace, CILIUM_CONFIG)),
      purpose === 'health' ? undefined : client.get(daemonSetRef),
      Promise.all(lives),
      deployment && (purpose === 'health' || options.access)
        ? readMissingAccess(client, namespace, deployment)
        : undefined,
      options.services ? readGlobalServices(client) : undefined,
    ]);
  const config = ciliumConfig && dataOf(ciliumConfig);
  // Whether Cilium is missing, or has lost its configuration.
  const isLost = purpose === 'health' && !ciliumConfig;
  const daemonSet = isLost ? await unlessForbidden(client.get(daemonSetRef)) : readDaemonSet;
  // To part, and to say how connections are, no version is needed.
  const asksVersion = full || purpose === 'certificates';
  const agent =
    daemonSet && (asksVersion ? await readAgents(client, namespace, daemonSet, options) : agentFactsOf(daemonSet));
  const [podAddresses, ipsecKeyDigest, policies] = await Promise.all([
    purpose === 'connect' ? readPodAddresses(client, ciliumNodes, config?.ipam) : {},
    purpose === 'connect' ? readIpsecKeyDigest(client, namespace, config ?? {}) : undefined,
    options.services ? readChangingPolicies(client, { ciliumConfig: config, agent }) : {},
  ]);
  const objects = new Map<string, KubeObject>();
  refs.forEach((ref, index) => {
    const object = live[index];
    if (object) objects.set(keyOf(ref), object);
  });
  if (daemonSet) objects.set(keyOf(daemonSetRef), daemonSet);
  const secretNamed = (name: string) => objects.get(keyOf(secretRef(namespace, name)));
  const authoritySecret = secretNamed(CA_SECRET);
  const ca = authoritySecret && caFactsOf(secretTexts(authoritySecret));
  if (authoritySecret) objects.set(keyOf(secretRef(namespace, CA_SECRET)), withoutPrivateKeys(authoritySecret));
  const users = objects.get(keyOf(configMapRef(namespace, REMOTE_USERS_CONFIGMAP)));
  const usersText = users && dataOf(users)[USERS_FILE];
  const peers = secretNamed(dialingSecret({ objects, namespace }));
  const bundles = await readBundles({ objects, namespace }, read, (key) => unread.has(key));
  const facts = readTlsFacts([...objects.values()], peers, bundles);
  return {
    context: client.context,
    server: client.server,
    namespace,
    clockAheadMs: client.aheadMs?.(),
    kubernetesVersion: version || undefined,
    ciliumConfig: config,
    ...namespaceFacts(unlessRefused(home)),
    ipsecKeyDigest: unlessRefused(ipsecKeyDigest),
    identitySetAt: ciliumConfig && identitySetAt(ciliumConfig),
    agent,
    nodes,
    apiserverPods,
    ...podAddresses,
    serviceCidrs: unlessRefused(serviceCidrs),
    refused: refusedOf({ 'service-cidrs': serviceCidrs, 'ipsec-keys': ipsecKeyDigest, namespace: home }),
    ...services,
    ...policies,
    apiGroups,
    probed,
    usedNodePorts,
    objects,
    ...facts,
    caBundle: bundles.get(SERVER_CERT_SECRET),
    ca: authorityOfMesh(ca, { objects, namespace, tlsSecrets: facts.tlsSecrets }),
    remoteUsers: usersText === undefined ? undefined : usersLetIn(usersText),
    missingAccess,
    unread,
  };
}

function refusedOf(read: Readonly<Record<Refused, unknown>>): ReadonlySet<Refused> | undefined {
  const refused = (Object.keys(read) as Refused[]).filter((one) => read[one] instanceof MeshctlError);
  return refused.length > 0 ? new Set(refused) : undefined;
}

/**
 * The CA with its private key, for commands that sign. Undefined when Secret cilium-ca, or the key in it, is missing.
 * The key stays in memory.
 */
export async function readAuthority(client: ClusterClient, namespace: string): Promise<Authority | undefined> {
  const secret = await client.get(secretRef(namespace, CA_SECRET));
  const { certificate, privateKey } = authorityIn(secretTexts(secret));
  return certificate && privateKey ? { certificate, privateKey } : undefined;
}

/** The same, for what was planned with it. @throws MeshctlError `CertificateAuthority` when it has gone since */
export async function requireAuthority(client: ClusterClient, namespace: string): Promise<Authority> {
  const authority = await readAuthority(client, namespace);
  if (authority) return authority;
  const { context } = client;
  throw new MeshctlError(
    'CertificateAuthority',
    `context "${context}": Secret ${namespace}/${CA_SECRET} has no CA with its key any more`,
    { hint: 'Run the same command again.', details: { context } },
  );
}

/** What a cluster's CA is, without its key. Undefined when Secret cilium-ca, or a readable certificate in it, is missing. */
export async function readAuthorityFacts(
  client: Pick<ClusterClient, 'get'>,
  namespace: string,
  signal?: AbortSignal,
): Promise<CaFacts | undefined> {
  const secret = await client.get(secretRef(namespace, CA_SECRET), { signal });
  return secret && caFactsOf(secretTexts(secret));
}

/**
 * The namespaces that hold a Cilium DaemonSet, for when it is not where it was looked for.
 * @returns the refusal where the user may not look
 */
export async function findCiliumNamespaces(client: ClusterClient): Promise<string[] | MeshctlError> {
  const list = client.listAll({ apiVersion: 'apps/v1', kind: 'DaemonSet', labelSelector: AGENT_SELECTOR });
  const found = await orRefusal(list);
  if (found instanceof MeshctlError) return found;
  return [...new Set(found.flatMap(({ metadata }) => metadata.namespace ?? []))].sort();
}

/** Without these nothing can be said of a cluster. */
function neededRefs(namespace: string): ObjectRef[] {
  return [apiserverDeploymentRef(namespace), secretRef(namespace, AGENT_PEERS_SECRET)];
}

function fixedRefs(namespace: string, purpose: SnapshotOptions['purpose']): ObjectRef[] {
  const secrets = [
    ...[AGENT_PEERS_SECRET, KVSTOREMESH_PEERS_SECRET],
    ...(purpose === 'disconnect' ? [] : CERTIFICATE_SECRETS),
    ...(purpose === 'disconnect' ? [] : [CA_SECRET]),
  ];
  return [
    apiserverDeploymentRef(namespace),
    apiserverServiceRef(namespace),
    configMapRef(namespace, REMOTE_USERS_CONFIGMAP),
    ...secrets.map((name) => secretRef(namespace, name)),
  ];
}

function uniqueRefs(refs: readonly ObjectRef[]): ObjectRef[] {
  return [...new Map(refs.map((ref) => [keyOf(ref), ref])).values()];
}

/** cert-manager writes `tls.crt` and `tls.key`, Cilium's chart and meshctl `ca.crt` and `ca.key`. */
function authorityIn(texts: Record<string, string>): {
  certificate: string | undefined;
  privateKey: string | undefined;
} {
  const { 'ca.crt': ca, 'ca.key': caKey, 'tls.crt': certificate, 'tls.key': privateKey } = texts;
  if (caKey === undefined && certificate !== undefined && privateKey !== undefined) return { certificate, privateKey };
  return { certificate: ca ?? certificate, privateKey: caKey };
}

function caFactsOf(texts: Record<string, string>): CaFacts | undefined {
  const { certificate, privateKey } = authorityIn(texts);
  if (certificate === undefined) return undefined;
  try {
    return {
      certificate: readCertificate(certificate),
      bundle: readBundle(certificate),
      certificatePem: certificate,
      hasKey: privateKey !== undefined,
      keyMatches: privateKey !== undefined && keyMatches(certificate, privateKey),
      ...(privateKey?.trim() === '' ? { keyIsEmpty: true } : {}),
    };
  } catch (error) {
    if (error instanceof MeshctlError && error.code === 'CertificateAuthority') return undefined;
    throw error;
  }
}

function withoutPrivateKeys(secret: KubeObject): KubeObject {
  const { 'ca.key': _caKey, 'tls.key': _tlsKey, ...data } = dataOf(secret);
  return { ...secret, data };
}

/** The latest time at which a manager wrote that has set the name or the id. */
function identitySetAt({ metadata }: KubeObject): Date | undefined {
  const times = (metadata.managedFields ?? []).flatMap(({ fieldsV1, time }) => {
    const data = (fieldsV1?.['f:data'] ?? {}) as Record<string, unknown>;
    const sets = 'f:cluster-name' in data || 'f:cluster-id' in data;
    return sets && time !== undefined ? [Date.parse(time)] : [];
  });
  const latest = Math.max(...times);
  return Number.isFinite(latest) ? new Date(latest) : undefined;
}
