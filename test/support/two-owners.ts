import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { SandboxOptions } from '../../src/sandbox/options.ts';
import type { CliOptions, CliResult } from './cli.ts';
import { type ConnectClusters, startConnectClusters } from './connect-clusters.ts';

/** An owner, whose kubeconfig leads to one cluster. */
export type Owner = (argv: readonly string[], options?: CliOptions) => Promise<CliResult>;

export interface TwoOwners {
  clusters: ConnectClusters;
  /** By the context of the cluster that each has. */
  owners: Readonly<Record<string, Owner>>;
  /** Where messages are put down; the working directory of the owners. */
  folder: string;
  /** Writes a text to a file there. */
  save(name: string, text: string): Promise<string>;
  close(): Promise<void>;
}

/** The words of a `clustermesh` command. */
export const mesh = (...words: string[]): string[] => ['clustermesh', ...words];

/** What a command printed that went well. */
export function good({ exitCode, stdout, stderr }: CliResult): string {
  if (exitCode !== 0) throw new Error(stderr);
  return stdout;
}

/** Enabled clusters, each with an owner who can reach no other one. */
export async function startTwoOwners(count = 2, options: SandboxOptions = {}): Promise<TwoOwners> {
  const clusters = await startConnectClusters(count, options);
  const folder = await mkdtemp(join(tmpdir(), 'owners-'));
  const all = parse(await readFile(clusters.kubeconfigPath, 'utf8')) as Kubeconfig;
  const owners: Record<string, Owner> = {};
  for (const { name, context } of all.contexts) {
    const path = join(folder, `${name}.kubeconfig`);
    const own = {
      ...all,
      'current-context': name,
      contexts: all.contexts.filter((one) => one.name === name),
      clusters: all.clusters.filter((one) => one.name === context.cluster),
      users: all.users.filter((one) => one.name === context.user),
    };
    await writeFile(path, stringify(own));
    owners[name] = (argv, more = {}) => clusters.meshctl(argv, { cwd: folder, ...more, env: { KUBECONFIG: path } });
  }
  return {
    clusters,
    owners,
    folder,
    async save(name, text) {
      await writeFile(join(folder, name), text);
      return name;
    },
    async close() {
      await clusters.close();
      await rm(folder, { recursive: true });
    },
  };
}

interface Kubeconfig {
  'current-context'?: string;
  contexts: { name: string; context: { cluster: string; user: string } }[];
  clusters: { name: string }[];
  users: { name: string }[];
}
