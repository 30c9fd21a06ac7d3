import type { KubeObject } from '../objects/kube-object.ts';

/** What is written at the demo's namespace about what the demo changes, before it does: what a later run goes by. */

/** Where the demo is, unless the operator names another namespace. */
export const DEMO_NAMESPACE = 'meshctl-demo';

export const DEMO_LABELS = {
  'app.kubernetes.io/managed-by': 'meshctl',
  'app.kubernetes.io/component': 'demo',
} as const;

/** For lists of the demo's namespaces. */
export const DEMO_SELECTOR = Object.entries(DEMO_LABELS)
  .map(([key, value]) => `${key}=${value}`)
  .join(',');

const PEER = 'meshctl.io/demo-peer';
const ENABLED = 'meshctl.io/demo-enabled';
const CONNECTED = 'meshctl.io/demo-connected';

/** What a demo made in one cluster, beyond what is in its namespace. */
export interface DemoRecord {
  /** The other cluster of the demo, by name. */
  peer: string;
  /** Cluster Mesh was not enabled before. */
  enabled: boolean;
  /** The two clusters were not connected before. */
  connected: boolean;
}

/** The record as annotations. */
export function annotationsOf({ peer, enabled, connected }: DemoRecord): Record<string, string> {
  return { [PEER]: peer, [ENABLED]: String(enabled), [CONNECTED]: String(connected) };
}

/** The record at a namespace; undefined where that is not a demo's. */
export function recordOf({ metadata: { labels = {}, annotations = {} } }: KubeObject): DemoRecord | undefined {
  if (Object.entries(DEMO_LABELS).some(([key, value]) => labels[key] !== value)) return undefined;
  return {
    peer: annotations[PEER] ?? '',
    enabled: annotations[ENABLED] === 'true',
    connected: annotations[CONNECTED] === 'true',
  };
}
