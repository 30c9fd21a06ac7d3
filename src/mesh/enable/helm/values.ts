import { isIpAddress } from '../../apiserver/endpoints.ts';
import type { CaBundle } from '../../certificates/ca-bundle.ts';
import type { ClusterIdentity } from '../../cilium/identity.ts';
import type { CiliumInstall } from '../../cilium/install.ts';
import { compareVersions, parseImage, parseVersion } from '../../cilium/versions/versions.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { meshctlCommand } from '../../command-line.ts';
import { keyOf } from '../../objects/kube-object.ts';
import { SERVER_CERT_SECRET, secretRef, serviceHostname } from '../../objects/names.ts';
import type { JoiningPeer } from '../../objects/source-advice.ts';
import type { Step } from '../../plan/plan.ts';
import { keptSettingsOf, settingName } from '../kept-settings.ts';
import type { EnableSettings } from '../settings.ts';
import { chartApplier, issuingMethod, issuingNotes, rendersUnseen } from './chart-issuing.ts';
import { givingStep, handOverCommand, mayConflict, sharedWithHelm } from './hand-over.ts';
import { type HelmPeers, helmPeers } from './peers.ts';

/** Values of Cilium's chart, and what they cannot say. */
export interface HelmValues {
  values: Record<string, unknown>;
  /** For people. */
  notes: readonly string[];
  /** The commands that give Helm what meshctl made; undefined where there is nothing of it. */
  handOver: string | undefined;
  /** Whether Helm may need --force-conflicts, see {@link mayConflict}. */
  force: boolean;
  /** Steps that give Helm what meshctl has set of objects, once it has made them. */
  gives: readonly Step[];
}

export interface HelmInput {
  snapshot: ClusterSnapshot;
  identity: ClusterIdentity;
  install: CiliumInstall;
  settings: EnableSettings;
  /** The clustermesh-apiserver's image. */
  image: string;
  /** Addresses of the Service, for the server certificate. */
  serviceAddresses: readonly string[];
  /** The Helm release that is to have the values. */
  release: string;
  /** Peers whose certificates Helm is handed beside these values. */
  handed?: readonly string[] | undefined;
  /** Clusters that are to be connected yet. */
  joining?: readonly JoiningPeer[] | undefined;
}

/**
 * The values with which Cilium's chart makes the mesh that enable makes (keys: values.yaml of the charts 1.16 to 1.21). No
 * private key gets into them: Helm finds the CA in Secret cilium-ca, and peers with a certificate of their own stay in the
 * Secrets that connect writes.
 */
export function helmValues(input: HelmInput): HelmValues {
  const { snapshot, identity, install, settings } = input;
  const peers = helmPeers(snapshot, install, input.handed, input.joining);
  const makes = {
    users: peers.usersAreMade,
    peers: peers.areMade,
    certificates: issuingMethod(snapshot) === 'helm',
  };
  // Without Helm there is nobody who would refuse.
  const handOver = rendersUnseen(chartApplier(snapshot)) ? undefined : handOverCommand(snapshot, makes, input.release);
  return {
    values: {
      cluster: { name: identity.name, id: identity.id },
      ...(settings.caBundle ? { tls: { caBundle: caBundleValues(settings.caBundle) } } : {}),
      ...(settings.pullSecrets ? { imagePullSecrets: settings.pullSecrets.map((name) => ({ name })) } : {}),
      clustermesh: {
        useAPIServer: true,
        maxConnectedClusters: identity.maxConnectedClusters,
        config: {
          enabled: peers.areMade,
          // Also where there are none: an upgrade that reuses a release's values keeps those that it had.
          clusters: peers.clusters,
        },
        apiserver: apiserverValues(input),
      },
    },
    notes: notesOf(input, peers),
    handOver,
    force: mayConflict(snapshot, makes),
    gives: sharedWithHelm(snapshot, makes).map((object) => givingStep(snapshot.context, object, input.release)),
  };
}

function caBundleValues({ kind, name, key }: CaBundle): Record<string, unknown> {
  return { enabled: true, ...(kind === 'Secret' ? { useSecret: true } : {}), name, key };
}

function notesOf({ snapshot }: HelmInput, peers: HelmPeers): string[] {
  const notes: string[] = [...issuingNotes(snapshot), ...peers.notes];
  if (!peers.usersAreMade && snapshot.remoteUsers === undefined) {
    const flags = chartApplier(snapshot) ? [] : ['--via-helm'];
    notes.push(
      'The chart leaves ConfigMap clustermesh-remote-users to others, and the pods cannot start without it: ' +
        `create it: ${meshctlCommand('clustermesh enable', { context: snapshot.context }, flags)}`,
    );
  }
  const set = [...snapshot.objects.values()].flatMap((object) =>
    keptSettingsOf(object).map(([path]) => settingName(object, path)),
  );
  if (set.length > 0) notes.push(`${set.join(', ')}: what was --set has no counterpart among the values of the chart`);
  return notes;
}

function apiserverValues({ snapshot, install, settings, image, serviceAddresses }: HelmInput): Record<string, unknown> {
  const { resources = {}, etcdStorage } = settings;
  const etcd = {
    ...(etcdStorage ? { storageMedium: etcdStorage === 'memory' ? 'Memory' : 'Disk' } : {}),
    ...(resources.etcd ? { resources: resources.etcd } : {}),
  };
  return {
    ...imageValues(image, install.apiserverImage),
    replicas: settings.replicas,
    ...(settings.tolerations ? { tolerations: settings.tolerations } : {}),
    ...(resources.apiserver ? { resources: resources.apiserver } : {}),
    ...(Object.keys(etcd).length > 0 ? { etcd } : {}),
    kvstoremesh: {
      enabled: settings.kvstoremesh,
      ...(resources.kvstoremesh ? { resources: resources.kvstoremesh } : {}),
    },
    service: serviceValues(settings),
    ...(settings.podDisruptionBudget ? { podDisruptionBudget: { enabled: true } } : {}),
    ...(settings.serviceMonitor ? { metrics: { serviceMonitor: { enabled: true } } } : {}),
    tls: tlsValues(snapshot, install, serviceAddresses),
  };
}

/** Helm knows the image beside the agents' by itself. */
function imageValues(image: string, derived: string): Record<string, unknown> {
  if (image === derived) return {};
  const { repository, tag, digest } = parseImage(image);
  return {
    image: {
      repository,
      ...(tag === undefined ? {} : { tag }),
      ...(digest === undefined ? { useDigest: false } : { digest }),
    },
  };
}

function serviceValues(settings: EnableSettings): Record<string, unknown> {
  const { exposure, nodePort, loadBalancerClass, loadBalancerIp, loadBalancerSourceRanges = [] } = settings;
  const { externalTrafficPolicy } = settings;
  const balanced = exposure.type === 'LoadBalancer';
  return {
    type: exposure.type,
    ...(Object.keys(exposure.annotations).length > 0 ? { annotations: exposure.annotations } : {}),
    ...(nodePort === undefined ? {} : { nodePort }),
    ...(balanced && loadBalancerClass ? { loadBalancerClass } : {}),
    ...(balanced && loadBalancerIp ? { loadBalancerIP: loadBalancerIp } : {}),
    ...(balanced && loadBalancerSourceRanges.length > 0 ? { loadBalancerSourceRanges } : {}),
    ...(externalTrafficPolicy ? { externalTrafficPolicy } : {}),
  };
}

/** Since 1.20, the names of the server certificate are a matter of how it is made. */
const SERVER_UNDER_AUTO = parseVersion('1.20.0-pre.0');

function tlsValues(
  snapshot: ClusterSnapshot,
  { version }: CiliumInstall,
  addresses: readonly string[],
): Record<string, unknown> {
  const { tlsSecrets, namespace } = snapshot;
  const present = tlsSecrets.get(SERVER_CERT_SECRET)?.certificate;
  const own = new Set(['127.0.0.1', '::1', serviceHostname(namespace), '*.mesh.cilium.io']);
  const all = [...new Set([...addresses, ...(present?.ipAddresses ?? []), ...(present?.dnsNames ?? [])])];
  const extra = all.filter((address) => !own.has(address));
  const server = {
    extraIpAddresses: extra.filter(isIpAddress),
    extraDnsNames: extra.filter((address) => !isIpAddress(address)),
  };
  const underAuto = SERVER_UNDER_AUTO !== undefined && compareVersions(version, SERVER_UNDER_AUTO) >= 0;
  return {
    authMode: 'migration',
    auto: { enabled: true, ...issuingValues(snapshot), ...(underAuto ? { server } : {}) },
    ...(underAuto ? {} : { server }),
  };
}

/** cert-manager writes its issuer on each Secret. */
function issuingValues(snapshot: ClusterSnapshot): Record<string, unknown> {
  const method = issuingMethod(snapshot);
  if (method !== 'certmanager') return { method };
  const { annotations = {} } =
    snapshot.objects.get(keyOf(secretRef(snapshot.namespace, SERVER_CERT_SECRET)))?.metadata ?? {};
  const mark = (name: string) => annotations[`cert-manager.io/issuer-${name}`];
  const name = mark('name');
  const issuer = { group: mark('group') ?? 'cert-manager.io', kind: mark('kind') ?? 'Issuer', name };
  return { method, ...(name === undefined ? {} : { certManagerIssuerRef: issuer }) };
}
