import { isHealthy, type Look, lookAtClusters, waitForHealth, watchStatus } from '../flows/status.ts';
import { exitCodeOf, MeshctlError } from '../mesh/errors.ts';
import { evaluateMesh } from '../mesh/mesh-status.ts';
import { meshStatusText } from '../views/matrix-view.ts';
import { printable } from '../views/printable.ts';
import { statusJunit } from '../views/status-junit.ts';
import { statusText } from '../views/status-view.ts';
import { statusWideText } from '../views/status-wide.ts';
import type { Theme } from '../views/theme.ts';
import type { CommandContext, CommandResult, ParsedOptions } from './command.ts';
import { awaitAnswers, withFoundClusters } from './find-clusters.ts';
import { choiceOf, type SeveralClustersFlags, unreachableData } from './several-clusters.ts';

interface StatusFlags extends SeveralClustersFlags {
  wait: boolean;
  /** Milliseconds. */
  waitDuration: number;
  watch: boolean;
  parallel: number;
  /** Milliseconds. */
  nodeTimeout: number;
  sample?: number;
  output: 'summary' | 'wide' | 'json' | 'yaml' | 'junit';
}

const CLEAR_SCREEN = '\u001b[2J';
const CLEAR_FROM_TOP = '\u001b[H\u001b[J';

/** `meshctl clustermesh status`: exit 0 only when every node is connected to every configured peer. */
export async function run(context: CommandContext, parsed: ParsedOptions): Promise<CommandResult> {
  const flags = parsed as unknown as StatusFlags;
  checkFlags(flags);
  const options = {
    parallel: flags.parallel,
    nodeTimeoutMs: flags.nodeTimeout,
    samplePercent: flags.sample,
    details: flags.output === 'wide',
  };
  return withFoundClusters(context, flags, choiceOf(flags), async (found) => {
    const several = flags.all === true || found.answered.length + found.silent.length > 1;
    const resultOf = (look: Look) => statusResult(look, flags, several);
    const deadline = Date.now() + flags.waitDuration;
    const { answered, silent } = flags.wait ? await awaitAnswers(context, flags, found, deadline) : found;
    const [only] = silent;
    if (only && !several) throw only.error;
    // A mesh of which a cluster cannot be asked is not known to be healthy.
    const complete = ({ reports, unreachable }: Look): Look => ({
      reports,
      unreachable: [...unreachableData(silent), ...unreachable],
    });
    if (flags.watch) {
      if (context.interactive) context.print(CLEAR_SCREEN);
      await watchStatus(context, [...answered, ...silent.map(({ target }) => target)], options, (look) => {
        const text = resultOf(look).text(context.theme);
        context.print(context.interactive ? `${CLEAR_FROM_TOP}${text}\n` : `${text}\n\n`);
      });
      return { kind: 'StatusReport', data: {}, text: () => '' };
    }
    if (answered.length === 0) return resultOf(complete({ reports: [], unreachable: [] }));
    const look = flags.wait
      ? await waitForHealth(context, answered, options, Math.max(0, deadline - Date.now()))
      : await lookAtClusters(context, answered, options);
    return resultOf(complete(look));
  });
}

function checkFlags(flags: StatusFlags): void {
  const refuse = (message: string, hint: string): never => {
    throw new MeshctlError('Usage', message, { hint });
  };
  if (flags.watch && flags.wait) refuse('--watch and --wait exclude each other', 'Give one of them.');
  if (flags.watch && flags.output !== 'summary' && flags.output !== 'wide') {
    refuse(`--watch shows a text, not ${flags.output}`, 'Leave -o out, or give -o wide.');
  }
}

/** A report of one cluster, or of a mesh where several were asked for. */
function statusResult(look: Look, { output }: StatusFlags, several: boolean): CommandResult {
  const exitCode = look.unreachable.length > 0 ? exitCodeOf('ClusterUnreachable') : isHealthy(look) ? 0 : 1;
  const mesh = printable(evaluateMesh(look.reports, look.unreachable));
  const [single] = mesh.clusters;
  const junit = () => statusJunit(mesh.clusters, mesh.unreachable);
  if (several || !single) {
    const text = (theme: Theme) =>
      output === 'wide'
        ? [meshStatusText(mesh, theme), ...mesh.clusters.map((cluster) => statusWideText(cluster, theme))].join('\n\n')
        : meshStatusText(mesh, theme);
    return { kind: 'MeshStatusReport', data: { ...mesh }, text: output === 'junit' ? junit : text, exitCode };
  }
  const text = (theme: Theme) => (output === 'wide' ? statusWideText(single, theme) : statusText(single, theme));
  return { kind: 'StatusReport', data: { ...single }, text: output === 'junit' ? junit : text, exitCode };
}
