import type { Writable } from 'node:stream';
import type { RemoteClusterStatus } from '../cilium/remote-cluster-status.ts';

/** Whether the options of a Cilium command ask for JSON. */
export function wantsJson(options: readonly string[]): boolean {
  return /(^| )(-o|--output)[ =]?json( |$)/.test(options.join(' '));
}

/** Writes the text; resolves when it is taken. */
export function writeAll(stream: Writable, text: string): Promise<void> {
  return new Promise((done, fail) => {
    stream.write(text, (error) => (error ? fail(error) : done()));
  });
}

/** Remote clusters as `cilium status` lists them (Cilium's pkg/client). */
export function formatRemoteClusters(clusters: readonly RemoteClusterStatus[], now: Date): string {
  return clusters.map((cluster) => formatRemoteCluster(cluster, now)).join('');
}

function formatRemoteCluster(cluster: RemoteClusterStatus, now: Date): string {
  const count = (field: string) => Number(cluster[field] ?? 0);
  const readiness = cluster.ready === true ? 'ready' : 'not-ready';
  const summary = [
    readiness,
    `${count('num-nodes')} nodes`,
    `${count('num-endpoints')} endpoints`,
    `${count('num-identities')} identities`,
    `${count('num-shared-services')} services`,
    `${count('num-endpoint-slices')} endpoint slices`,
    `${count('num-service-exports')} MCS-API service exports`,
    `${count('num-failures')} reconnections (last: ${since(String(cluster['last-failure']), now)})`,
  ].join(', ');
  const head = `   ${cluster.name}: ${summary}\n`;
  if (cluster.ready === true) return head;
  const config = cluster.config as Record<string, unknown> | undefined;
  const configured = config
    ? `expected=${config.required === true}, retrieved=${config.retrieved === true}`
    : 'expected=unknown, retrieved=unknown';
  const synced = Object(cluster.synced) as Record<string, boolean>;
  const states = ['nodes', 'endpoints', 'identities', 'services'].map((kind) => `${kind}=${synced[kind] ?? false}`);
  return [
    head,
    `   └  ${String(cluster.status)}\n`,
    `   └  remote configuration: ${configured}\n`,
    `   └  synchronization status: ${states.join(', ')}\n`,
  ].join('');
}

function since(time: string, now: Date): string {
  const ms = now.getTime() - new Date(time).getTime();
  return time.startsWith('0001-') ? 'never' : `${Math.max(0, Math.round(ms / 1000))}s ago`;
}
