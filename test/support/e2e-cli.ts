import { expect } from 'vitest';
import type { StatusReport } from '../../src/mesh/status/status.ts';
import { type CliOptions, type CliResult, jsonOf, runCli } from './cli.ts';

/** Runs command lines against the clusters of one kubeconfig. */
export interface Meshctl {
  (argv: readonly string[], options?: CliOptions): Promise<CliResult>;
  /** The same, and fails the test unless it exits 0. */
  ok(argv: readonly string[], options?: CliOptions): Promise<CliResult>;
  status(context: string): Promise<StatusReport>;
}

/** @param env further environment, e.g. for credential plugins */
export function meshctlWith(kubeconfigPath: string, env: CliOptions['env'] = {}): Meshctl {
  const call = (argv: readonly string[], options: CliOptions = {}) =>
    runCli(argv, { ...options, env: { ...env, KUBECONFIG: kubeconfigPath, ...options.env } });
  const ok = async (argv: readonly string[], options?: CliOptions) => {
    const result = await call(argv, options);
    expect(result.exitCode, `meshctl ${argv.join(' ')}\n${result.stdout}\n${result.stderr}`).toBe(0);
    return result;
  };
  const status = async (context: string) =>
    jsonOf(await call(['clustermesh', 'status', '--context', context, '-o', 'json'])) as unknown as StatusReport;
  return Object.assign(call, { ok, status });
}

export const enable = (contexts: string, ...more: string[]) => [
  'clustermesh',
  'enable',
  '--context',
  contexts,
  ...more,
];

export const connect = (context: string, destination: string, ...more: string[]) => [
  ...['clustermesh', 'connect', '--context', context, '--destination-context', destination],
  ...more,
];

/** Waits until it is healthy, at most so long. */
export const waitForStatus = (context: string, duration: string) => [
  ...['clustermesh', 'status', '--context', context, '--wait', '--wait-duration', duration],
];

/** The article's three lines, for one peer. */
export function healthyText(nodes: number, peer: string): string {
  return [
    `✅ All ${nodes} nodes are connected to all clusters`,
    '🔌 Cluster Connections:',
    `  • ${peer}: ${nodes}/${nodes} configured, ${nodes}/${nodes} connected`,
    '',
  ].join('\n');
}
