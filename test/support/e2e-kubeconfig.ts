import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';

/** A kubeconfig file's content, as far as tests change it. */
export interface KubeconfigFile {
  clusters: { name: string; cluster: Record<string, string> }[];
  users: { name: string; user: Record<string, string> }[];
  contexts: { name: string; context: Record<string, string> }[];
  'current-context': string;
}

/** A folder for the variants of one kubeconfig. */
export interface KubeconfigVariants {
  directory: string;
  /** Writes the kubeconfig with a change. Gives its path. */
  write(name: string, change: (kubeconfig: KubeconfigFile) => void): Promise<string>;
  remove(): Promise<void>;
}

export async function kubeconfigVariants(originalPath: string): Promise<KubeconfigVariants> {
  const original = await readFile(originalPath, 'utf8');
  const directory = await mkdtemp(join(tmpdir(), 'meshctl-test-'));
  return {
    directory,
    async write(name, change) {
      const kubeconfig = parse(original) as KubeconfigFile;
      change(kubeconfig);
      const path = join(directory, name);
      await writeFile(path, stringify(kubeconfig), { mode: 0o600 });
      return path;
    },
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

/** Writes a kubeconfig with one more context, `down`, whose cluster does not answer, beside it. Gives its path. */
export async function kubeconfigWithDown(originalPath: string): Promise<string> {
  const kubeconfig = parse(await readFile(originalPath, 'utf8')) as KubeconfigFile;
  kubeconfig.clusters.push({ name: 'down', cluster: { server: 'https://127.0.0.1:9' } });
  kubeconfig.contexts.push({ name: 'down', context: { ...kubeconfig.contexts[0]?.context, cluster: 'down' } });
  const path = join(dirname(originalPath), 'with-down.yaml');
  await writeFile(path, stringify(kubeconfig), { mode: 0o600 });
  return path;
}

/** Writes a kubeconfig without one of its contexts, beside it. Gives its path. */
export async function kubeconfigWithout(originalPath: string, context: string): Promise<string> {
  const kubeconfig = parse(await readFile(originalPath, 'utf8')) as KubeconfigFile;
  const path = join(dirname(originalPath), `without-${context}`);
  const contexts = kubeconfig.contexts.filter(({ name }) => name !== context);
  await writeFile(path, stringify({ ...kubeconfig, contexts }), { mode: 0o600 });
  return path;
}

/** Gives every user of a kubeconfig these credentials instead of their own. */
export function replaceCredentials(kubeconfig: KubeconfigFile, user: Record<string, string>): void {
  for (const entry of kubeconfig.users) entry.user = user;
}
