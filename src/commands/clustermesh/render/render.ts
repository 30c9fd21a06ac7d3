import { stringify } from 'yaml';
import { certificateObject, type IssuerRef } from '../../../manifests/cert-manager.ts';
import { loadTemplates } from '../../../manifests/load.ts';
import { renderClusterMesh } from '../../../manifests/render.ts';
import type { RenderValues } from '../../../manifests/values.ts';
import { certificateSpecs } from '../../../mesh/certificates/cluster-certificates.ts';
import { checkClusterName } from '../../../mesh/cilium/cluster-name.ts';
import { checkClusterId } from '../../../mesh/cilium/identity.ts';
import { DEFAULT_SETTINGS } from '../../../mesh/cilium/install.ts';
import { checkSupported, formatVersion, supportedRange } from '../../../mesh/cilium/versions/versions.ts';
import { meshctlCommand, shellWord } from '../../../mesh/command-line.ts';
import { namesPeers } from '../../../mesh/enable/deletion.ts';
import { defaultNodePort } from '../../../mesh/enable/exposure/node-port.ts';
import { PLATFORM_FLAGS, privateAnnotationsOf, schemesOfPlatform } from '../../../mesh/enable/exposure/platforms.ts';
import { applySettings } from '../../../mesh/enable/object-settings.ts';
import { MeshctlError } from '../../../mesh/errors.ts';
import { annotationOfRanges } from '../../../mesh/network/allow-lists.ts';
import { describeRef, type KubeObject, refOf } from '../../../mesh/objects/kube-object.ts';
import { CA_SECRET, ETCD_PORT, REMOTE_USERS_CONFIGMAP } from '../../../mesh/objects/names.ts';
import { encodeText } from '../../../mesh/objects/secret-data.ts';
import { createAuthority } from '../../../pki/authority.ts';
import { issueCertificate } from '../../../pki/issue.ts';
import type { CommandContext, CommandResult } from '../../command.ts';
import { choicesOf, ciliumVersionOf } from '../../options/enable-options.ts';
import type { FlagsOf } from '../../options/flags-of.ts';
import type { RENDER } from './render-spec.ts';

type RenderFlags = FlagsOf<typeof RENDER>;

/**
 * `meshctl clustermesh render`: the objects of Cluster Mesh for a cluster, without touching one. What only the cluster
 * knows is not among them: applied to a mesh that is up, they must not take its certificates, users and peers away.
 * @throws MeshctlError `Usage` for a name, id, version or port that cannot be; `CiliumUnsupported` for a version too old
 */
export async function run(context: CommandContext, options: RenderFlags): Promise<CommandResult> {
  const issuer = issuerOf(options);
  const values = valuesOf(options, context);
  warnOfExposure(options, values, context);
  const rendered = renderClusterMesh(await loadTemplates(context.installation), values);
  const complete = applySettings(rendered, choicesOf(options));
  const objects = await withCertificates(complete, values, options, issuer, context);
  const raw = options.output === 'json' ? toJsonList(objects) : toYamlDocuments(objects, options);
  return {
    kind: 'RenderedObjects',
    data: { objects: objects.map((object) => describeRef(refOf(object))) },
    text: () => raw,
    raw,
  };
}

/** The objects with the certificates as they are asked for. */
async function withCertificates(
  objects: readonly KubeObject[],
  values: RenderValues,
  flags: RenderFlags,
  issuer: IssuerRef | undefined,
  { progress, now }: CommandContext,
): Promise<KubeObject[]> {
  const { certificates } = flags;
  const serviceAddresses = serverNamesOf(flags);
  if (certificates === 'inline') {
    progress.warn('the output contains private keys, including that of the CA: keep it out of repositories');
    progress.warn(
      'it is for a new cluster: where peers are connected already, its new CA and empty list of users cut them off',
    );
    if (serviceAddresses.length === 0) {
      progress.warn(
        `the server certificate covers none of the Service's addresses, which are not known here: name each with --server-name, or once it runs, issue one that does: ${meshctlCommand('clustermesh enable')}`,
      );
    }
    const filled = structuredClone([...objects]);
    return [...(await fillCertificates(filled, { ...values, serviceAddresses }, now())), ...filled];
  }
  if (
    JSON.stringify(objects.find(({ metadata }) => metadata.name === REMOTE_USERS_CONFIGMAP)?.data).includes('name:')
  ) {
    progress.warn(
      `before Cilium 1.17 agents read their own KVStoreMesh as a user of ConfigMap ${REMOTE_USERS_CONFIGMAP}, which is left out; create it: ${meshctlCommand('clustermesh enable')}`,
    );
  }
  const kept = objects.filter(({ kind, type }) => kind !== 'Secret' || type !== 'kubernetes.io/tls').map(withoutPeers);
  if (issuer === undefined) return kept;
  progress.warn(
    `peers trust the CA of Secret ${CA_SECRET} in a mesh that runs: if ${issuer.kind} ${issuer.name} signs with another one, they are cut off`,
  );
  if (serviceAddresses.length === 0) {
    progress.warn(
      "the server certificate covers none of the Service's addresses, which are not known here: peers that dial one, as those that meshctl has connected do, are refused from their next connection on; " +
        `name each with --server-name; the certificate of a mesh that runs has them among its sans: ${meshctlCommand('clustermesh certs list', {}, ['-o', 'yaml'])}`,
    );
  }
  const specs = certificateSpecs({ ...values, serviceAddresses });
  return [...specs.map((certificate) => certificateObject(certificate, values.namespace, issuer)), ...kept];
}

/** Users and peers are the cluster's own: connect writes them into these objects. */
function withoutPeers(object: KubeObject): KubeObject {
  if (!namesPeers(refOf(object))) return object;
  const { data: _data, ...rest } = object;
  return rest as KubeObject;
}

/** What peers dial, as far as flags tell. @throws MeshctlError `Usage` where no certificate is printed */
function serverNamesOf({ certificates, serverName = [], loadBalancerIp }: RenderFlags): string[] {
  if (serverName.length > 0 && certificates === 'none') {
    throw new MeshctlError('Usage', '--server-name is for --certificates cert-manager and inline', {
      hint: 'Add one of them, or leave --server-name out: enable covers the addresses by itself.',
    });
  }
  return [...serverName, ...(loadBalancerIp === undefined ? [] : [loadBalancerIp])];
}

/** Whoever signs for cert-manager; undefined where it is not asked. @throws MeshctlError `Usage` */
function issuerOf({ certificates, issuer }: RenderFlags): IssuerRef | undefined {
  if (issuer === undefined && certificates === 'cert-manager') {
    // The chart has none of its own either (`certManagerIssuerRef` in its validate.yaml).
    throw new MeshctlError('Usage', '--certificates cert-manager needs --issuer', {
      hint: `Name an issuer that signs with the CA of Secret ${CA_SECRET}, like --issuer ClusterIssuer/mesh.`,
    });
  }
  if (issuer === undefined) return undefined;
  if (certificates !== 'cert-manager') {
    throw new MeshctlError('Usage', '--issuer is for --certificates cert-manager', {
      hint: 'Add --certificates cert-manager, or leave --issuer out.',
    });
  }
  const [name = '', kind = 'Issuer'] = issuer.split('/').reverse();
  if (/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name) && /^[A-Za-z]+$/.test(kind) && issuer.split('/').length < 3) {
    return { kind, name };
  }
  throw new MeshctlError('Usage', `--issuer "${issuer}" is not an issuer`, {
    hint: 'Write it like ClusterIssuer/mesh.',
  });
}

/** A load balancer without its platform's annotations is on the internet on most clouds. */
function warnOfExposure({ platform }: RenderFlags, values: RenderValues, { progress }: CommandContext): void {
  if (values.serviceType !== 'LoadBalancer') return;
  const isAnnotated = Object.keys(values.serviceAnnotations).length > 0 || values.loadBalancerClass !== undefined;
  if (platform !== undefined && privateAnnotationsOf(platform) === undefined) {
    const alone = annotationOfRanges(schemesOfPlatform(platform), ETCD_PORT);
    if (alone && values.serviceAnnotations[alone.name] !== undefined) return;
    const way = alone
      ? `--service-annotation ${shellWord(`${alone.name}=${alone.value}`)}`
      : '--load-balancer-source-ranges';
    progress.warn(`load balancers of ${platform} are on the internet: let a firewall keep others out, or ${way}`);
  } else if (platform === undefined && !isAnnotated) {
    progress.warn(
      `the load balancer is on the internet on most clouds: name where the cluster runs with --platform (${PLATFORM_FLAGS.join(', ')}), or annotate it with --service-annotation`,
    );
  }
}

function valuesOf(options: RenderFlags, { progress }: CommandContext): RenderValues {
  const { clusterName, clusterId, namespace, platform } = options;
  const { settings: _settings, serviceAnnotations = {}, ...choices } = choicesOf(options);
  const { serviceType = 'LoadBalancer' } = choices;
  const maxConnectedClusters = Number(options.maxConnectedClusters);
  refuse('--cluster-name', clusterName, checkClusterName(clusterName));
  refuse('--cluster-id', clusterId, checkClusterId(clusterId, maxConnectedClusters));
  const ciliumVersion = ciliumVersionOf(options.ciliumVersion);
  if (checkSupported(ciliumVersion).untested) {
    progress.warn(
      `Cilium ${formatVersion(ciliumVersion)} is newer than this meshctl knows (${supportedRange()}); the newest objects are used`,
    );
  }
  if (options.nodePort !== undefined && serviceType !== 'NodePort') {
    throw new MeshctlError('Usage', `--node-port cannot be used with a Service of type ${serviceType}`, {
      hint: 'Add --service-type NodePort.',
    });
  }
  if (platform !== undefined && serviceType !== 'LoadBalancer') {
    throw new MeshctlError('Usage', `--platform cannot be used with a Service of type ${serviceType}`, {
      hint: 'It says how a load balancer is kept private.',
    });
  }
  const annotations = platform === undefined ? {} : (privateAnnotationsOf(platform) ?? {});
  return {
    ...choices,
    ciliumVersion,
    image: options.image ?? `quay.io/cilium/clustermesh-apiserver:v${formatVersion(ciliumVersion)}`,
    namespace,
    clusterName,
    maxConnectedClusters,
    settings: DEFAULT_SETTINGS,
    serviceType,
    serviceAnnotations: { ...annotations, ...serviceAnnotations },
    nodePort: choices.nodePort ?? defaultNodePort(clusterId),
    replicas: choices.replicas ?? 1,
    kvstoremesh: choices.kvstoremesh ?? true,
  };
}

function refuse(flag: string, value: string | number, reason: string | undefined): void {
  if (reason !== undefined) throw new MeshctlError('Usage', `${flag} ${value}: ${reason}`);
}

/** Puts certificates into the Secrets among `objects`, and gives the Secret of the CA that signed them. */
async function fillCertificates(
  objects: readonly KubeObject[],
  values: RenderValues & { serviceAddresses: readonly string[] },
  now: Date,
): Promise<KubeObject[]> {
  const authority = await createAuthority({ now });
  const specs = certificateSpecs(values);
  await Promise.all(
    specs.map(async ({ secret, spec }) => {
      const { certificate, privateKey } = await issueCertificate(authority, spec, { now });
      const object = objects.find(({ kind, metadata }) => kind === 'Secret' && metadata.name === secret);
      if (object === undefined) throw new MeshctlError('Bug', `there is no template for Secret ${secret}`);
      object.data = encodeValues({ 'ca.crt': authority.certificate, 'tls.crt': certificate, 'tls.key': privateKey });
    }),
  );
  return [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: CA_SECRET,
        namespace: values.namespace,
        labels: { 'app.kubernetes.io/managed-by': 'meshctl' },
      },
      data: encodeValues({ 'ca.crt': authority.certificate, 'ca.key': authority.privateKey }),
    },
  ];
}

function encodeValues(texts: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, encodeText(text)]));
}

function toJsonList(items: readonly KubeObject[]): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items }, null, 2);
}

function toYamlDocuments(objects: readonly KubeObject[], options: RenderFlags): string {
  const { clusterName, clusterId, certificates } = options;
  const head = [
    // The name and the id are not in the objects: the pods read them from cilium-config.
    `# Cluster Mesh for a Cilium whose cilium-config has cluster-name: ${clusterName}, cluster-id: "${clusterId}"\n`,
    ...(certificates === 'inline'
      ? ['# It contains private keys, including that of the CA: keep it out of repositories.\n']
      : []),
  ];
  const documents = objects.map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }));
  return `${head.join('')}---\n${documents.join('---\n')}`;
}
