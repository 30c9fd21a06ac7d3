import { cacheTtlOf, containerOf } from '../apiserver/deployment.ts';
import { ciliumSettingsOf } from '../cilium/install.ts';
import type { CiliumConfig } from '../cilium/known-keys.ts';
import { type CiliumVersion, isSince, versionOfImage } from '../cilium/versions/versions.ts';
import type { KubeObject } from '../objects/kube-object.ts';
import { isUnheard } from '../status/broken-link.ts';
import type { ClusterService } from './backends.ts';
import type { ClusterServices } from './service-facts.ts';
import { unconnectedFor, usedBySome, usesIn } from './uses.ts';

/** A cluster that keeps sending requests to one that has fallen silent. */
export interface StraySender {
  cluster: string;
  /** For how long, a Go duration; absent: until it is disconnected from that one. */
  for?: string | undefined;
}

/** What is lost with a cluster that falls silent: its backends go, and nobody is told. */
export interface SilentLoss {
  /** The others are served, and keep sending no requests there, or not for good. */
  survives: boolean;
  /** Those that keep sending requests there; absent where there is none. */
  stray?: readonly StraySender[] | undefined;
}

/** Cilium has `clustermesh-cache-ttl` from this version on. */
const TTL_FROM: CiliumVersion = { major: 1, minor: 19, patch: 0, suffix: '' };

/**
 * For how long a cluster keeps what a peer that fell silent has published: `clustermesh-cache-ttl`, of KVStoreMesh where that dials
 * the peers, else of the agents (Cilium's pkg/clustermesh/common/remote_cluster.go, `RevokeCache`; its docs, "Handling Unreachable
 * Clusters").
 * @param image of the agents
 * @returns a Go duration; undefined: for good, as `0s` means and as Cilium before 1.19 does it
 */
export function keptFor(
  config: CiliumConfig,
  image: string | undefined,
  deployment: KubeObject | undefined,
): string | undefined {
  const version = image === undefined ? undefined : versionOfImage(image);
  const ofAgents = isSince(version, TTL_FROM) ? ciliumSettingsOf(config).cacheTtl : undefined;
  const ttl = containerOf(deployment, 'kvstoremesh') ? cacheTtlOf(deployment) : ofAgents;
  // 0s, 0m0s: it is off.
  return ttl !== undefined && /[1-9]/.test(ttl) ? ttl : undefined;
}

/** Where requests of a cluster go, be it from some of its nodes. */
interface Requests {
  of: ClusterServices;
  /** The clusters whose backends they go to. */
  to: readonly string[];
}

/** Whether none of them goes on for good. */
export function endsByItself(stray: readonly StraySender[]): boolean {
  return stray.every((one) => one.for !== undefined);
}

/** Requests that go on to a cluster when it is gone. */
function strayTo(requests: readonly Requests[], gone: string): StraySender[] {
  return requests
    .filter(({ of, to }) => of.cluster !== gone && to.includes(gone))
    .map(
      ({ of: { cluster, keptFor: span } }): StraySender => (span === undefined ? { cluster } : { cluster, for: span }),
    );
}

/**
 * Who keeps sending requests to a cluster that is drained, since it hears nothing of that one any more (see {@link isUnheard}).
 * @param requests of all clusters, the drained one too
 */
export function untoldSenders(requests: readonly Requests[], drained: string): StraySender[] {
  const untold = requests.filter(({ of: { broken = [] } }) =>
    broken.some((link) => link.peer === drained && isUnheard(link)),
  );
  return strayTo(untold, drained);
}

/** Of each cluster that has a Service, where requests for it go. @param inputs of all clusters */
export function requestsFor(clusters: readonly ClusterServices[], inputs: readonly ClusterService[]): Requests[] {
  return clusters
    .filter((of) => inputs.some(({ cluster }) => cluster === of.cluster))
    .map((of) => ({
      of,
      to: [...usesIn(of, inputs).map(({ cluster }) => cluster), ...usedBySome(of, unconnectedFor(of, inputs))],
    }));
}

/**
 * What comes of a Service if a cluster falls silent, as by a power cut or a broken network: its backends are used on as agents last
 * heard of them, since nothing tells that they are gone.
 * @param requests of all clusters, the silent one too
 * @param survives whether the others are served once nobody sends requests there
 */
export function silentLoss(requests: readonly Requests[], silent: string, survives: boolean): SilentLoss {
  const stray = strayTo(requests, silent);
  return {
    survives: survives && endsByItself(stray),
    ...(stray.length > 0 ? { stray } : {}),
  };
}
