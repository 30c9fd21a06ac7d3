import { stringify } from 'yaml';
import { loadTemplates } from '../manifests/load.ts';
import { renderClusterMesh } from '../manifests/render.ts';
import type { RenderValues } from '../manifests/values.ts';
import { DEFAULT_SETTINGS } from '../mesh/cilium-install.ts';
import { certificateSpecs } from '../mesh/cluster-certificates.ts';
import { meshctlCommand } from '../mesh/command-line.ts';
import { MeshctlError } from '../mesh/errors.ts';
import { checkClusterId, checkClusterName } from '../mesh/identity.ts';
import { describeRef, type KubeObject, refOf } from '../mesh/kube-object.ts';
import { CA_SECRET } from '../mesh/names.ts';
import { defaultNodePort } from '../mesh/node-port.ts';
import { applySettings } from '../mesh/object-settings.ts';
import { encodeText } from '../mesh/secret-data.ts';
import { checkSupported, formatVersion, supportedRange } from '../mesh/versions.ts';
import { createAuthority } from '../pki/authority.ts';
import { issueCertificate } from '../pki/issue.ts';
import type { CommandContext, CommandResult, ParsedOptions } from './command.ts';
import { type ApiserverFlags, choicesOf, ciliumVersionOf } from './enable-options.ts';

/** The options of `clustermesh render` as the registry declares them. */
interface RenderOptions extends ApiserverFlags {
  ciliumVersion: string;
  clusterName: string;
  clusterId: number;
  namespace: string;
  maxConnectedClusters: string;
  withCertificates: boolean;
  output: 'yaml' | 'json';
}

/**
 * `meshctl clustermesh render`: the objects of Cluster Mesh for a cluster, without touching one.
 * @throws MeshctlError `Usage` for a name, id, version or port that cannot be; `CiliumUnsupported` for a version too old
 */
export async function run(context: CommandContext, parsed: ParsedOptions): Promise<CommandResult> {
  const options = parsed as unknown as RenderOptions;
  const values = valuesOf(options, context);
  const rendered = renderClusterMesh(await loadTemplates(context.packageRoot), values);
  const objects = applySettings(rendered, choicesOf(options).settings, () => undefined);
  if (options.withCertificates) {
    objects.unshift(...(await fillCertificates(objects, values, context.now())));
    context.progress.warn('the output holds private keys, that of the CA too: keep it out of repositories');
    context.progress.warn(
      "the server certificate cannot cover the Service's addresses, which are not known yet; " +
        `once it runs, issue one that does: ${meshctlCommand('clustermesh enable')}`,
    );
  }
  const raw = options.output === 'json' ? toJsonList(objects) : toYamlDocuments(objects, options);
  return {
    kind: 'RenderedObjects',
    data: { objects: objects.map((object) => describeRef(refOf(object))) },
    text: () => raw,
    raw,
  };
}

function valuesOf(options: RenderOptions, { progress }: CommandContext): RenderValues {
  const { clusterName, clusterId, namespace } = options;
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
    throw new MeshctlError('Usage', `--node-port does not go with a Service of type ${serviceType}`, {
      hint: 'Add --service-type NodePort',
    });
  }
  return {
    ...choices,
    ciliumVersion,
    image: options.image ?? `quay.io/cilium/clustermesh-apiserver:v${formatVersion(ciliumVersion)}`,
    namespace,
    clusterName,
    maxConnectedClusters,
    settings: DEFAULT_SETTINGS,
    serviceType,
    serviceAnnotations,
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
  values: RenderValues,
  now: Date,
): Promise<KubeObject[]> {
  const authority = await createAuthority({ now });
  // The addresses of the Service are unknown before it exists.
  const specs = certificateSpecs({ ...values, serviceAddresses: [] });
  await Promise.all(
    specs.map(async ({ secret, spec }) => {
      const { certificate, privateKey } = await issueCertificate(authority, spec, { now });
      const object = objects.find(({ kind, metadata }) => kind === 'Secret' && metadata.name === secret);
      if (object === undefined) throw new MeshctlError('Bug', `There is no template for Secret ${secret}`);
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

function toYamlDocuments(objects: readonly KubeObject[], options: RenderOptions): string {
  const { clusterName, clusterId, withCertificates } = options;
  const head = [
    // The name and the id are not in the objects: the pods read them from cilium-config.
    `# Cluster Mesh for a Cilium whose cilium-config has cluster-name: ${clusterName}, cluster-id: "${clusterId}"\n`,
    ...(withCertificates ? ['# It holds private keys, that of the CA too: keep it out of repositories.\n'] : []),
  ];
  const documents = objects.map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }));
  return `${head.join('')}---\n${documents.join('---\n')}`;
}
