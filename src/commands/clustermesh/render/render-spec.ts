import { PLATFORM_FLAGS } from '../../../mesh/enable/exposure/platforms.ts';
import type { CommandSpec } from '../../command-spec.ts';
import { apiserverOptions, RENDER_DEFAULTS } from '../../options/apiserver-options.ts';
import { parseHost } from '../../options/host-value.ts';
import { parseCount, parseNamespace } from '../../options/option-values.ts';
import { CILIUM_NAMESPACE_VARIABLE } from '../../options/shared-options.ts';

export const RENDER = {
  path: ['clustermesh', 'render'],
  summary: 'Print the objects that enable would apply, without a cluster',
  description:
    'For GitOps. What only the cluster knows is left out: its users and peers, which connect writes, and the TLS ' +
    'Secrets. The objects can therefore be applied to a running mesh; with --certificates cert-manager only if ' +
    '--server-name names every address that peers dial, and the issuer signs with the CA of Secret cilium-ca.',
  examples: [
    {
      line: 'meshctl clustermesh render --cilium-version 1.20.0 --cluster-name mesh-1 --cluster-id 1 -o yaml',
      what: 'manifests for a repository',
    },
    {
      line: `meshctl clustermesh render --cilium-version 1.20.0 --cluster-name mesh-1 --cluster-id 1 \\
    --platform gke --certificates cert-manager --issuer ClusterIssuer/mesh --server-name 10.0.0.7`,
      what: 'with an internal load balancer, and certificates that cert-manager keeps',
    },
  ],
  options: [
    { flags: '--cilium-version <version>', description: "the cluster's Cilium version", required: true },
    { flags: '--cluster-name <name>', description: "the cluster's name in the mesh", required: true },
    { flags: '--cluster-id <id>', description: "the cluster's id in the mesh", required: true, parse: parseCount },
    {
      flags: '-n, --namespace <namespace>',
      description: 'namespace that Cilium runs in',
      default: 'kube-system',
      parse: parseNamespace,
      env: CILIUM_NAMESPACE_VARIABLE,
    },
    ...apiserverOptions(RENDER_DEFAULTS),
    {
      flags: '--max-connected-clusters <count>',
      description: 'size of the mesh, as in cilium-config',
      choices: ['255', '511'],
      default: '255',
    },
    {
      flags: '--platform <platform>',
      group: 'exposure',
      description: 'where the cluster runs: keeps its load balancer off the internet',
      choices: PLATFORM_FLAGS,
    },
    {
      flags: '--certificates <source>',
      group: 'certificates',
      description:
        'none: TLS Secrets come from elsewhere (enable makes them); cert-manager: Certificates for it; inline: for a new ' +
        'cluster, issued from a new CA, prints private keys',
      choices: ['none', 'cert-manager', 'inline'],
      default: 'none',
    },
    {
      flags: '--issuer <[kind/]name>',
      group: 'certificates',
      description: 'issuer for --certificates cert-manager, which needs one, e.g. ClusterIssuer/mesh',
    },
    {
      flags: '--server-name <address>',
      group: 'certificates',
      description: 'address of the Service that the server certificate is to cover, repeatable',
      repeatable: true,
      parse: parseHost,
    },
    {
      flags: '-o, --output <format>',
      group: 'output',
      description: 'format of the objects',
      choices: ['yaml', 'json'],
      default: 'yaml',
    },
  ],
} as const satisfies CommandSpec;
