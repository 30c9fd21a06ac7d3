import { MeshctlError } from '../mesh/errors.ts';
import { startSandbox } from '../sandbox/sandbox.ts';
import type { CommandContext, CommandResult, ParsedOptions } from './command.ts';
import { untilAborted } from './until-aborted.ts';

interface Scene {
  /** What the audience is told. */
  tells: string;
  /** The command line, shown as typed and then run. */
  argv: readonly string[];
}

const SCENES: readonly Scene[] = [
  {
    tells: 'Prepare both clusters. Each keeps its own CA; how to expose the apiserver is detected from the cloud.',
    argv: ['clustermesh', 'enable', '--context', 'gke,eks'],
  },
  {
    tells: 'Join them: each side accepts the other, every credential is proved, only then does anyone dial.',
    argv: ['clustermesh', 'connect', '--context', 'gke', '--destination-context', 'eks'],
  },
  {
    tells: 'Is every node of the first cluster connected?',
    argv: ['clustermesh', 'status', '--context', 'gke', '--wait'],
  },
  {
    tells: 'And of the second?',
    argv: ['clustermesh', 'status', '--context', 'eks', '--wait'],
  },
];

/** `meshctl demo`: the walkthrough on a sandbox of its own; stops at the first command that fails. */
export async function run(context: CommandContext, parsed: ParsedOptions): Promise<CommandResult> {
  const { keep } = parsed as { keep: boolean };
  const { theme, print, signal } = context;
  print(
    `${theme.bold('meshctl demo')}: two clusters with Cilium, one in a "GKE" and one in an "EKS", become one mesh.\n`,
  );
  print(theme.dim('Embedded in this process: API servers, certificates and TLS handshakes are real,\n'));
  print(theme.dim('etcd, Cilium’s agents and the datapath are simulated.\n'));
  const sandbox = await startSandbox({
    clusters: [
      { name: 'mesh-1', context: 'gke', provider: 'gce' },
      { name: 'mesh-2', context: 'eks', provider: 'aws' },
    ],
    nodes: 2,
  });
  try {
    for (const { tells, argv } of SCENES) {
      signal.throwIfAborted();
      print(`\n${theme.dim(`# ${tells}`)}\n${theme.bold(`$ meshctl ${argv.join(' ')}`)}\n`);
      const exitCode = await context.runCommand(argv, { KUBECONFIG: sandbox.kubeconfigPath });
      signal.throwIfAborted();
      if (exitCode !== 0) {
        throw new MeshctlError('SandboxFailed', `the demo stopped: meshctl ${argv.join(' ')} exited ${exitCode}`);
      }
    }
    if (keep) {
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
