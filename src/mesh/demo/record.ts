import type { KubeObject } from '../objects/kube-object.ts';

/**
 * What is written at the demo's namespace about what the demo changes: before it does what it is going to, and after it what it
 * has made. A later run takes away what was made; what was only planned others may have made by then.
 */

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

const NO = 'false';
const PLANNED = 'planned';
const MADE = 'made';

/** What a demo does in one cluster, beyond what is in its namespace. */
export interface DemoRecord {
  /** The other cluster of the demo, by name. */
  peer: string;
  /** Nothing of Cluster Mesh was there before; `made` with the uid of the Deployment that the demo has made, or of what it made first. */
  enabled: 'no' | 'planned' | { made: string };
  /** The two clusters were not connected before. */
  connected: 'no' | 'planned' | 'made';
}

/** The record as annotations. */
export function annotationsOf({ peer, enabled, connected }: DemoRecord): Record<string, string> {
  const { made } = typeof enabled === 'string' ? { made: enabled === 'no' ? NO : PLANNED } : enabled;
  return { [PEER]: peer, [ENABLED]: made, [CONNECTED]: connected === 'no' ? NO : connected };
}

/** What is added once Cluster Mesh is enabled, or begun to be. @param uid of what was made */
export function enabledNote(uid: string): Record<string, string> {
  return { [ENABLED]: uid };
}

/** What is added once the clusters are connected. */
export const CONNECTED_NOTE: Readonly<Record<string, string>> = { [CONNECTED]: MADE };

/** The record at a namespace; undefined where that is not a demo's. */
export function recordOf({ metadata: { labels = {}, annotations = {} } }: KubeObject): DemoRecord | undefined {
  if (Object.entries(DEMO_LABELS).some(([key, value]) => labels[key] !== value)) return undefined;
  const { [PEER]: peer = '', [ENABLED]: enabled = NO, [CONNECTED]: connected = NO } = annotations;
  return {
    peer,
    enabled: enabled === NO ? 'no' : enabled === PLANNED ? 'planned' : { made: enabled },
    connected: connected === NO ? 'no' : connected === MADE ? 'made' : 'planned',
  };
}
