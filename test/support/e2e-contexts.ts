import { loadKubeconfig } from '../../src/kube/access/kubeconfig.ts';
import type { ClusterClient } from '../../src/kube/client.ts';
import { openCluster } from '../../src/kube/open-cluster.ts';
import { type Meshctl, meshctlWith } from './e2e-cli.ts';
import { startTestSandbox } from './sandbox-mesh.ts';

/** Two clusters with Cilium and without Cluster Mesh, to run the main flows on. */
export interface TwoContexts {
  contexts: readonly [string, string];
  clients: readonly [ClusterClient, ClusterClient];
  meshctl: Meshctl;
  /** How long a change may take to be seen: as meshctl's flags have it, and for polling. */
  patience: { flag: string; polling: { deadlineMs: number; pollMs: number } };
  close(): Promise<void>;
}

const SANDBOX = { flag: '20s', polling: { deadlineMs: 60_000, pollMs: 50 } };
/** Kubelets refresh mounted files every minute or two; after a refusal KVStoreMesh tries again in almost three minutes. */
const REAL = { flag: '5m', polling: { deadlineMs: 300_000, pollMs: 2_000 } };

/** The two contexts that MESHCTL_E2E_CONTEXTS names in the kubeconfig; undefined for a sandbox. */
export function namedContexts(env: Readonly<Record<string, string | undefined>>): [string, string] | undefined {
  if (!env.MESHCTL_E2E_CONTEXTS) return undefined;
  const [a, b, ...more] = env.MESHCTL_E2E_CONTEXTS.split(',').map((name) => name.trim());
  if (!a || !b || more.length > 0) throw new Error('MESHCTL_E2E_CONTEXTS must name two contexts: a,b');
  return [a, b];
}

/** Opens the named clusters of KUBECONFIG, else a sandbox with two. */
export async function openTwoContexts(env: Readonly<Record<string, string | undefined>>): Promise<TwoContexts> {
  const named = namedContexts(env);
  if (!named) {
    const sandbox = await startTestSandbox({ proxied: false });
    const contexts = ['mesh-1', 'mesh-2'] as const;
    return {
      contexts,
      clients: [sandbox.client(contexts[0]), sandbox.client(contexts[1])],
      meshctl: meshctlWith(sandbox.kubeconfigPath),
      patience: SANDBOX,
      close: sandbox.close,
    };
  }
  const { KUBECONFIG = '' } = env;
  const kubeconfig = await loadKubeconfig({ env, cwd: process.cwd() });
  const open = (context: string) =>
    openCluster(kubeconfig, {
      context,
      requestTimeoutMs: 30_000,
      userAgent: 'meshctl-e2e',
      signal: new AbortController().signal,
    });
  const clients = [open(named[0]), open(named[1])] as const;
  return {
    contexts: named,
    clients,
    // The whole environment: credential plugins need PATH and HOME.
    meshctl: meshctlWith(KUBECONFIG, { ...env }),
    patience: REAL,
    close: async () => {
      for (const client of clients) client.close();
    },
  };
}
