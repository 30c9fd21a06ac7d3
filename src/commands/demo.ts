import { MeshctlError } from '../mesh/errors.ts';
import { type Sandbox, startSandbox } from '../sandbox/sandbox.ts';
import type { CommandContext, CommandResult } from './command.ts';
import { playScene } from './demo/scene.ts';
import { storyOf } from './demo/story.ts';
import type { DEMO } from './demo-spec.ts';
import type { FlagsOf } from './options/flags-of.ts';
import { withClusters } from './targets/cluster-flags.ts';
import { untilAborted } from './until-aborted.ts';

/** After each scene, where someone watches. */
const PACE_MS = 2500;
const REQUEST_TIMEOUT_MS = 30_000;

/**
 * `meshctl demo`: the whole story on a sandbox of its own, or with `--context` on the operator's clusters; stops at the first
 * command that fails.
 */
export async function run(context: CommandContext, flags: FlagsOf<typeof DEMO>): Promise<CommandResult> {
  const { theme, print, signal } = context;
  const paceMs = flags.pause ? (flags.pace ?? (context.interactive ? PACE_MS : 0)) : 0;
  if (flags.context) {
    const { runOnClusters } = await import('./demo/demo-clusters.ts');
    return runOnClusters(context, flags, paceMs);
  }
  const [astray] = [
    ...(flags.dryRun ? ['--dry-run'] : []),
    ...(flags.cleanUp ? ['--clean-up'] : []),
    ...(flags.kubeconfig === undefined ? [] : ['--kubeconfig']),
  ];
  if (astray) {
    throw new MeshctlError('Usage', `${astray} is for a demo on clusters of yours`, {
      hint: 'Name their contexts with --context a,b.',
    });
  }
  print(
    `${theme.bold('meshctl demo')}: two clusters with Cilium, one in a "GKE" and one in an "EKS", become one mesh.\n`,
  );
  print(theme.dim('Embedded in this process: API servers, certificates, TLS handshakes and HTTP requests are real,\n'));
  print(
    theme.dim('etcd, Cilium’s agents and the datapath are simulated. What kubectl would do, the demo does itself.\n'),
  );
  const sandbox = await startSandbox({
    clusters: [
      { name: 'mesh-1', context: 'gke', provider: 'gce', routing: 'native-bgp' },
      { name: 'mesh-2', context: 'eks', provider: 'aws', routing: 'native-bgp' },
    ],
    nodes: 2,
  });
  try {
    await tell(context, sandbox, paceMs);
    if (flags.keep) {
      print(
        `\nThe sandbox stays up until Ctrl-C. In another terminal:\n  export KUBECONFIG=${sandbox.kubeconfigPath}\n`,
      );
      await untilAborted(signal);
    }
  } finally {
    await sandbox.close();
  }
  return { kind: 'Demo', data: {}, text: () => '' };
}

async function tell(context: CommandContext, { kubeconfigPath }: Sandbox, paceMs: number): Promise<void> {
  const flags = { kubeconfig: kubeconfigPath, namespace: 'kube-system', requestTimeout: REQUEST_TIMEOUT_MS };
  await withClusters(context, flags, ['gke', 'eks'], async ([gke, eks]) => {
    if (!gke || !eks) return;
    for (const scene of storyOf(context, { kubeconfigPath, gke, eks })) {
      context.signal.throwIfAborted();
      await playScene(context, scene, paceMs);
    }
  });
}
