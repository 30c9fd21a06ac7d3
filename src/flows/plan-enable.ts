import { readSnapshot } from '../kube/snapshot.ts';
import { type Templates, templateRefs } from '../manifests/load.ts';
import { renderClusterMesh } from '../manifests/render.ts';
import { type CiliumInstall, readCiliumInstall } from '../mesh/cilium-install.ts';
import { certificateSpecs } from '../mesh/cluster-certificates.ts';
import { caFingerprint, POD_CA_ANNOTATION, planEnable, podCaMark } from '../mesh/enable.ts';
import {
  type EnableChoices,
  type EnableSettings,
  peerPorts,
  settleEnable,
  settleImage,
} from '../mesh/enable-settings.ts';
import { serviceEndpoints } from '../mesh/endpoints.ts';
import { MeshctlError } from '../mesh/errors.ts';
import { type ClusterIdentity, requireIdentity } from '../mesh/identity.ts';
import { type KubeObject, keyOf, refOf } from '../mesh/kube-object.ts';
import { apiserverDeploymentRef } from '../mesh/names.ts';
import { applySettings, type ObjectSetting } from '../mesh/object-settings.ts';
import { foreignOwner } from '../mesh/ownership.ts';
import type { CertificateOrder, Plan } from '../mesh/plan.ts';
import { type AuthorityPlan, type GivenAuthority, planAuthority, replacementNotes } from '../mesh/plan-authority.ts';
import type { ClusterSnapshot } from '../mesh/snapshot.ts';
import { type CiliumVersion, formatVersion, supportedRange } from '../mesh/versions.ts';
import type { Authority } from '../pki/authority.ts';
import type { Target } from './flow.ts';

export interface EnableOptions extends EnableChoices {
  ciliumVersion?: CiliumVersion | undefined;
  image?: string | undefined;
  /** Fields of any rendered object. */
  settings?: readonly ObjectSetting[] | undefined;
  /** A CA that the operator brings along, with its key. */
  givenAuthority?: (GivenAuthority & { authority: Authority }) | undefined;
  replaceAuthority?: boolean | undefined;
  /** Of the certificates that are issued. */
  issuing?: Pick<CertificateOrder, 'validityMs' | 'keySize'> | undefined;
  /** What cilium-config must say, where the operator relies on it. */
  maxConnectedClusters?: number | undefined;
  /** Take over fields that other managers own. */
  force?: boolean | undefined;
  /** For the load balancer's address and for the pods, each. */
  waitMs: number;
}

/** What enable would do in one cluster, and what it was made from. */
export interface EnableDraft {
  snapshot: ClusterSnapshot;
  identity: ClusterIdentity;
  install: CiliumInstall;
  settings: EnableSettings;
  authority: AuthorityPlan;
  plan: Plan;
  warnings: readonly string[];
  /** How the plan came about, for people. */
  notes: readonly string[];
}

/** Reads the cluster and plans; the plan is a function of what was read. Writes nothing. */
export async function draftEnable(
  { client, namespace }: Target,
  templates: Templates,
  options: EnableOptions,
  now: Date,
): Promise<EnableDraft> {
  const possible = templateRefs(templates, namespace);
  const snapshot = await readSnapshot(client, { namespace, purpose: 'enable', refs: possible });
  const identity = requireIdentity(snapshot);
  requireSize(snapshot, identity, options.maxConnectedClusters);
  const install = readCiliumInstall(snapshot, { version: options.ciliumVersion, apiserverImage: options.image });
  const settings = settleEnable(snapshot, identity, options);
  const authority = planAuthority(snapshot, {
    given: options.givenAuthority,
    replace: options.replaceAuthority,
    keySize: options.issuing?.keySize,
  });
  const certificates = certificateSpecs({
    clusterName: identity.name,
    namespace,
    serviceAddresses: serviceEndpoints(snapshot)?.hosts ?? [],
    kvstoremesh: settings.kvstoremesh,
  });
  const { exposure, ...values } = settings;
  const rendered = renderClusterMesh(templates, {
    ...values,
    ciliumVersion: install.version,
    image: settleImage(snapshot, options.image, install.apiserverImage),
    namespace,
    clusterName: identity.name,
    maxConnectedClusters: identity.maxConnectedClusters,
    settings: install.settings,
    serviceType: exposure.type,
    serviceAnnotations: exposure.annotations,
    podAnnotations: podAnnotations(snapshot, authority, caFingerprint({ snapshot, authority, certificates, now })),
  });
  const liveOf = (object: KubeObject) => snapshot.objects.get(keyOf(refOf(object)));
  const objects = applySettings(rendered, options.settings ?? [], liveOf);
  const { issuing, force = false } = options;
  const plan = planEnable({ snapshot, objects, certificates, authority, possible, issuing, force, now });
  return {
    snapshot,
    identity,
    install,
    settings,
    authority,
    plan,
    warnings: warningsOf(snapshot, install, settings),
    notes: [
      `Cilium ${formatVersion(install.version)}, ${settings.replicas} replicas, KVStoreMesh ${settings.kvstoremesh ? 'on' : 'off'}`,
      `Service type ${exposure.type}: ${exposure.evidence.join('; ')}`,
      ...(authority.replaces ? replacementNotes(snapshot) : []),
    ],
  };
}

function requireSize(snapshot: ClusterSnapshot, identity: ClusterIdentity, wanted: number | undefined): void {
  if (wanted === undefined || wanted === identity.maxConnectedClusters) return;
  const { context, namespace } = snapshot;
  throw new MeshctlError(
    'ClusterIdentity',
    `context "${context}": max-connected-clusters is ${identity.maxConnectedClusters}, not ${wanted}`,
    {
      hint:
        `All clusters of a mesh need the same. It is set when Cilium is installed ` +
        `(Helm: clustermesh.maxConnectedClusters=${wanted}) and cannot be changed on a running cluster.`,
      details: { context, object: `ConfigMap ${namespace}/cilium-config` },
    },
  );
}

/**
 * The mark that makes pods follow their CA. Pods that somebody else's tool describes are marked only where the CA was
 * replaced: they would restart for nothing.
 */
function podAnnotations(
  snapshot: ClusterSnapshot,
  { replaces }: AuthorityPlan,
  fingerprint = 'new',
): Readonly<Record<string, string>> {
  const deployment = snapshot.objects.get(keyOf(apiserverDeploymentRef(snapshot.namespace)));
  return foreignOwner(deployment) && !replaces && podCaMark(deployment) === undefined
    ? {}
    : { [POD_CA_ANNOTATION]: fingerprint };
}

function warningsOf(snapshot: ClusterSnapshot, install: CiliumInstall, settings: EnableSettings): string[] {
  const { exposure, nodePort } = settings;
  return [
    ...(install.untested
      ? [
          `Cilium ${formatVersion(install.version)} is newer than this meshctl knows (${supportedRange()}); the newest objects are used`,
        ]
      : []),
    ...(exposure.warning ? [`Service type ${exposure.type}: ${exposure.warning}`] : []),
    ...(nodePort !== undefined && peerPorts(snapshot).includes(nodePort)
      ? [
          `the node port ${nodePort} is also a peer's: with kube-proxy replacement, dialling the peer leads back here; choose another with --node-port`,
        ]
      : []),
  ];
}
