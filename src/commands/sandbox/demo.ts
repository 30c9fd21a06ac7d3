import { setTimeout as delay } from 'node:timers/promises';
import { type Sandbox, startSandbox } from '../../sandbox/sandbox.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { FlagsOf } from '../flags-of.ts';
import { withClusters } from '../targets/cluster-flags.ts';
import { untilAborted } from '../until-aborted.ts';
import type { DEMO } from './demo-spec.ts';
import { type Scene, storyOf } from './demo-story.ts';

/** After each scene, where someone watches. */
const PACE_MS = 2500;
/** Between the letters of a command line, as a share of the pace. */
const TYPING_SHARE = 1 / 100;
const REQUEST_TIMEOUT_MS = 30_000;

/** `meshctl demo`: the whole story on a sandbox of its own; stops at the first command that fails. */
export async function run(context: CommandContext, flags: FlagsOf<typeof DEMO>): Promise<CommandResult> {
  const { theme, print, signal } = context;
  const paceMs = flags.pause ? (flags.pace ?? (context.interactive ? PACE_MS : 0)) : 0;
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
      await play(context, scene, paceMs);
    }
  });
}

async function play({ print, theme, signal }: CommandContext, scene: Scene, paceMs: number): Promise<void> {
  print(`\n${theme.dim(`# ${scene.tells}`)}\n`);
  await type(`$ ${scene.line}`, { print: (text) => print(theme.bold(text)), letterMs: paceMs * TYPING_SHARE, signal });
  print('\n');
  const says = await scene.play();
  if (says) print(`${says}\n`);
  if (paceMs > 0) await delay(paceMs, undefined, { signal });
}

/** Prints a line letter by letter, or at once where nobody watches. */
async function type(
  line: string,
  { print, letterMs, signal }: { print(text: string): void; letterMs: number; signal: AbortSignal },
): Promise<void> {
  if (letterMs === 0) {
    print(line);
    return;
  }
  for (const letter of line) {
    print(letter);
    await delay(letterMs, undefined, { signal });
  }
}
