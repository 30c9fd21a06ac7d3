import type { MeshctlError } from '../../mesh/errors.ts';
import type { PeerEffect } from '../../mesh/plan/peer-effects.ts';
import { errorData } from '../error-data.ts';
import { hintLines } from '../hint-lines.ts';
import { peerLines } from '../plan/peer-lines.ts';
import { type CountedStep, countActions } from '../plan/plan-data.ts';
import { summariseActions } from '../plan/plan-view.ts';
import type { Theme } from '../theme.ts';

/** What one cluster's enable shows. */
export interface EnabledCluster {
  context: string;
  cluster: { name: string; id: number };
  service: { type: string; evidence: readonly string[]; endpoints: readonly string[] };
  kvstoremesh: boolean;
  /** Why nothing there can be connected all the same. */
  lack?: string | undefined;
  /** What became of the connections with known peers. */
  peers: readonly PeerEffect[];
  steps: readonly CountedStep[];
}

/** A cluster of several that failed while others went on. */
export interface EnableFailure {
  context: string;
  error: MeshctlError;
  /** It could not be read, so that nobody knows whether it is enabled. */
  isUnread?: boolean;
}

/** The result of `clustermesh enable`, a paragraph for each cluster. */
export function enableText(
  clusters: readonly EnabledCluster[],
  failures: readonly EnableFailure[],
  theme: Theme,
): string {
  const done = clusters.map(({ context, cluster, service, kvstoremesh, lack, peers, steps }) =>
    [
      `${lack ? '⚠️ ' : '✅'} Cluster Mesh is enabled in ${theme.bold(cluster.name)} (context ${context}, id ${cluster.id})${lack ? `, but ${lack}` : ''}`,
      `  • Service: ${service.type}, ${service.endpoints.join(', ') || 'no address'}`,
      ...service.evidence.map((seen) => `    ${theme.dim(seen)}`),
      `  • KVStoreMesh: ${kvstoremesh ? 'on' : 'off'}`,
      `  • Objects: ${summariseActions(countActions(steps), theme)}`,
      ...peerLines(
        peers.filter(({ becomes }) => becomes !== 'kept'),
        theme,
      ),
    ].join('\n'),
  );
  const failed = failures.map(({ context, error, isUnread }) => {
    const { message, hint } = errorData(error);
    return [
      isUnread
        ? `❌ Context ${theme.bold(context)} was left out: whether Cluster Mesh is enabled there is not known`
        : `❌ enable has failed in context ${theme.bold(context)}`,
      `  • ${message}`,
      ...(hint ? hintLines(hint, theme, 2, Infinity) : []),
    ].join('\n');
  });
  return [...done, ...failed].join('\n');
}

/** A failure as data. */
export function failureData({ context, error }: EnableFailure): Record<string, unknown> {
  return { context, error: errorData(error) };
}
