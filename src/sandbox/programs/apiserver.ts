import { authorizeByRoles } from '../apiserver/auth/rbac.ts';
import type { Store } from '../apiserver/storage/object-store.ts';
import { publishedState } from '../cilium/cluster-state.ts';
import { builtInUsers, parseUsers } from '../cilium/etcd-permissions.ts';
import type { EtcdStandIn } from '../cilium/etcd-stand-in.ts';
import type { OwnCluster } from '../cilium/peers.ts';
import type { VirtualNetwork } from '../pods/network.ts';
import { type ContainerContext, type ContainerProcess, createProcessLog } from '../pods/process.ts';
import { connectLocalEtcd } from './local-etcd.ts';

/** The container `apiserver`: publishes the cluster's state into etcd and keeps its users. */
export interface ApiserverProcess extends ContainerProcess {
  /** The cluster's objects have changed. */
  publish(): void;
}

export function isApiserverProcess(process: ContainerProcess): process is ApiserverProcess {
  return 'publish' in process;
}

export function runApiserver(
  context: ContainerContext,
  { own, store, network, now }: { own: OwnCluster; store: Store; network: VirtualNetwork; now(): Date },
): ApiserverProcess {
  const log = createProcessLog(context.container.name, now);
  const flag = (name: string) => context.argv.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3);
  const usersEnabled = context.argv.some((word) => /^--cluster-users-enabled(=true)?$/.test(word));
  const usersPath = flag('cluster-users-config-path') ?? '/var/lib/cilium/etcd-config/users.yaml';
  let users = new Map<string, string>();
  const listed = new Set<string>();

  function readUsers() {
    if (!usersEnabled) return;
    const text = context.files().get(usersPath)?.toString();
    const parsed = text === undefined ? undefined : parseUsers(text, own.name);
    // As the real one: a file that cannot be read leaves the users as they were.
    if (parsed) users = parsed;
    else log.write(`level=error msg="Failed reading users configuration file" path=${usersPath}`);
  }

  function writeUsers(etcd: EtcdStandIn) {
    etcd.setUsers(new Map([...builtInUsers(own.name), ...users]));
  }

  function publish() {
    const etcd = local.etcd();
    if (!etcd) return;
    for (const [prefix, entries] of publishedState(store, own, now(), mayList)) etcd.replacePrefix(prefix, entries);
  }

  /** What it has listed once it goes on to watch. */
  function mayList({ apiGroup, resource }: { apiGroup: string; resource: string }): boolean {
    if (listed.has(resource)) return true;
    const { metadata, spec } = context.pod;
    const user = `system:serviceaccount:${metadata.namespace}:${spec.serviceAccountName ?? 'default'}`;
    const access = { user, groups: ['system:serviceaccounts'], verb: 'list', apiGroup, resource };
    if (authorizeByRoles(store, access) === undefined) listed.add(resource);
    else log.write(`level=warn msg="Failed to list ${resource}: forbidden" user=${user}`);
    return listed.has(resource);
  }

  const local = connectLocalEtcd({
    context,
    clusterName: own.site,
    network,
    now,
    log: log.write,
    onConnected(etcd) {
      readUsers();
      writeUsers(etcd);
      publish();
    },
  });

  return {
    publish,
    ready: () => local.etcd() !== undefined,
    logs: log.lines,
    filesChanged() {
      const etcd = local.etcd();
      if (!etcd) {
        local.retry();
        return;
      }
      readUsers();
      writeUsers(etcd);
    },
    serverChanged: local.retry,
    close: local.close,
  };
}
