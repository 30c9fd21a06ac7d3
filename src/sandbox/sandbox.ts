import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MeshctlError } from '../mesh/errors.ts';
import { createAuthority } from '../pki/authority.ts';
import { type SandboxCluster, startCluster } from './cluster.ts';
import type { CaPem } from './fixtures/cilium-install.ts';
import { kubeconfigFor } from './kubeconfig.ts';
import { type ClusterProfile, DEFAULT_TIMINGS, resolveProfiles, type SandboxOptions } from './options.ts';
import { createVirtualNetwork, type VirtualNetwork } from './pods/network.ts';
import { createRouters, type Routers } from './pods/routers.ts';

export type { SandboxCluster } from './cluster.ts';
export type { SandboxClusterOptions, SandboxOptions, SandboxTimings } from './options.ts';

/** Embedded clusters on loopback. */
export interface Sandbox {
  /** Has a context for each cluster; only its owner can read it. */
  kubeconfigPath: string;
  clusters: readonly SandboxCluster[];
  /** Joins the clusters; links can be cut and mended by cluster name. */
  network: VirtualNetwork;
  /** Of clusters with native routing; BGP between two clusters can be stopped. */
  routers: Routers;
  /** Ends everything and removes the kubeconfig. */
  close(): Promise<void>;
}

/**
 * Connections grow with the square of the clusters, and one process reads them all: of many, each is read again less often.
 * Changes are pushed all the same.
 */
function resyncMsOf(clusters: number): number {
  return Math.max(DEFAULT_TIMINGS.resyncMs, clusters * 1500);
}

/**
 * Starts clusters as an installed Cilium without Cluster Mesh leaves them. Real are their API servers (TLS, client
 * certificates), objects, certificates, every TLS handshake between them, and the HTTP requests between their pods; etcd,
 * Cilium's programs and the datapath are stood in for. Resolves when all pods are ready. Throws `Usage` for impossible
 * options.
 */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const profiles = resolveProfiles(options);
  const timings = { ...DEFAULT_TIMINGS, resyncMs: resyncMsOf(profiles.length), ...options.timings };
  const now = options.clock ?? (() => new Date());
  const onError = options.onError ?? ((error) => process.emitWarning(error instanceof Error ? error : String(error)));
  const authorities = await createAuthorities(profiles, options, now());
  const network = createVirtualNetwork(timings.connectTimeoutMs);
  const routers = createRouters(network);
  const started = await Promise.allSettled(
    profiles.map((profile, index) =>
      startCluster({
        profile,
        ca: authorities[index],
        network,
        routers,
        timings,
        now,
        onError,
        intercept: options.intercept,
        proxied: options.proxied,
      }),
    ),
  );
  const clusters = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const closeClusters = async () => {
    network.close();
    await Promise.all(clusters.map((cluster) => cluster.close()));
  };
  const failed = started.find((result) => result.status === 'rejected');
  if (failed) {
    await closeClusters();
    throw failed.reason;
  }
  const kubeconfig = await writeKubeconfig(clusters, options).catch(async (error: unknown) => {
    await closeClusters();
    throw error;
  });
  let closing: Promise<void> | undefined;
  const close = async () => {
    await closeClusters();
    await kubeconfig.remove();
  };
  return {
    kubeconfigPath: kubeconfig.path,
    clusters,
    network,
    routers,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

async function writeKubeconfig(
  clusters: readonly SandboxCluster[],
  { directory, kubeconfigPath }: SandboxOptions,
): Promise<{ path: string; remove(): Promise<void> }> {
  const ownDirectory =
    directory === undefined && kubeconfigPath === undefined
      ? await mkdtemp(join(tmpdir(), 'meshctl-sandbox-'))
      : undefined;
  const path = kubeconfigPath ?? join(ownDirectory ?? directory ?? '.', 'kubeconfig.yaml');
  try {
    // `wx`: a kubeconfig that is there already is someone's.
    await writeFile(path, kubeconfigFor(clusters), { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    throw new MeshctlError('Usage', `The file ${path} exists already`, {
      hint: 'Name a new file: the sandbox removes it at the end.',
      cause,
    });
  }
  return { path, remove: () => rm(ownDirectory ?? path, { recursive: true, force: true }) };
}

async function createAuthorities(
  profiles: readonly ClusterProfile[],
  { sharedCa, withoutCa }: SandboxOptions,
  now: Date,
): Promise<(CaPem | undefined)[]> {
  if (withoutCa) return profiles.map(() => undefined);
  if (!sharedCa) return Promise.all(profiles.map(() => createAuthority({ now })));
  const shared = await createAuthority({ now });
  return profiles.map(() => shared);
}
