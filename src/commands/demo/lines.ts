import { kubectlCommand, shellWord, spanWord } from '../../mesh/command-line.ts';
import { type ErrorCode, MeshctlError } from '../../mesh/errors.ts';
import type { CommandContext, CommandWithin } from '../command.ts';
import type { DEMO } from '../demo-spec.ts';
import type { FlagsOf } from '../options/flags-of.ts';
import type { Scene } from './scene.ts';

export type DemoFlags = FlagsOf<typeof DEMO>;

/** The longest wait for one answer that commands have by themselves. */
const USUAL_REQUEST_TIMEOUT_MS = 30_000;

/** The command lines of a demo on the operator's clusters: they reach these as the demo itself does. */
export interface DemoLines {
  /** A scene that runs meshctl. It fails where that exits with anything but 0. */
  meshctl(tells: string, ...argv: string[]): Scene;
  /** A line of kubectl, of which the demo itself does what it says. */
  kubectl(place: { context: string; namespace: string }, ...words: string[]): string;
  /** The same for both clusters. */
  kubectlInBoth(place: { namespace?: string }, ...words: string[]): string;
}

/** A remark, as the shell takes it. */
const IN_BOTH = '# in both clusters';

/** How the scenes of a demo run and print command lines. @param within where the commands run */
export function demoLines(context: CommandContext, flags: DemoFlags, within: CommandWithin = {}): DemoLines {
  const { kubeconfig, as, asGroup = [], requestTimeout, ciliumNamespace } = flags;
  const identity = [
    ...(kubeconfig === undefined ? [] : ['--kubeconfig', kubeconfig]),
    ...(as === undefined ? [] : ['--as', as]),
    ...asGroup.flatMap((group) => ['--as-group', group]),
  ];
  const timeout = requestTimeout === USUAL_REQUEST_TIMEOUT_MS ? [] : ['--request-timeout', spanWord(requestTimeout)];
  const ciliumFlag = (argv: readonly string[]) => (argv[0] === 'clustermesh' ? '-n' : '--cilium-namespace');
  return {
    meshctl(tells, ...given) {
      const cilium = ciliumNamespace === undefined ? [] : [ciliumFlag(given), ciliumNamespace];
      const argv = [...given, ...identity, ...timeout, ...cilium];
      const line = ['meshctl', ...argv].map(shellWord).join(' ');
      return {
        tells,
        line,
        async play(done) {
          const exitCode = await context.runCommand(argv, within);
          if (exitCode === 0) await done?.();
          (within.signal ?? context.signal).throwIfAborted();
          if (exitCode === 0) return '';
          throw new MeshctlError(codeOf(exitCode), `the demo stopped: ${line} exited ${exitCode}`);
        },
      };
    },
    kubectl: (place, ...words) => kubectlCommand(place, [...identity, ...words]),
    kubectlInBoth: (place, ...words) => [kubectlCommand(place, [...identity, ...words]), IN_BOTH].join('    '),
  };
}

/** A code of the same exit status; what was wrong, the command itself has said. */
function codeOf(exitCode: number): ErrorCode {
  const codes: Record<number, ErrorCode> = { 2: 'Usage', 3: 'ClusterUnreachable', 70: 'Bug', 130: 'Interrupted' };
  return codes[exitCode] ?? 'DemoFailed';
}
