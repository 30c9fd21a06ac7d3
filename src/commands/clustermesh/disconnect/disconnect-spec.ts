import type { CommandSpec } from '../../command-spec.ts';
import { meshOptions } from '../../options/mesh-options.ts';
import { parseList } from '../../options/option-values.ts';
import { DRY_RUN, NO_ROLLBACK, partingWait, RESULT_OR_PLAN_FORMAT, YES } from '../../options/shared-options.ts';

const [SOURCE, ...OTHERS] = meshOptions('only the source stops dialling, and the others go on');

export const DISCONNECT = {
  path: ['clustermesh', 'disconnect'],
  summary: 'Disconnect clusters from each other',
  description:
    'Removes the files with which the clusters dial each other, their certificates, and the users that let them in, on ' +
    'both sides, and waits until etcd refuses them and agents have forgotten them. No pod restarts, unless connect told ' +
    'them a host name of the peer, as Cilium before 1.20 may need it: the plan says which pods. A remote cluster that is ' +
    'gone is forgotten with --force, where its context has its name, or by its name with --peer: it is refused as soon as ' +
    'its etcd user is gone, but a connection that it still has open keeps receiving updates until it ends.',
  examples: [
    {
      line: 'meshctl clustermesh disconnect --context gke --destination-context eks',
      what: 'disconnect two clusters',
    },
    { line: 'meshctl clustermesh disconnect --context gke --peer mesh-2', what: 'forget a cluster that is gone' },
    { line: 'meshctl clustermesh disconnect --all --peer mesh-2', what: 'have each other cluster forget it' },
  ],
  reachesClusters: true,
  options: [
    {
      ...SOURCE,
      description: `${SOURCE.description}; with --peer several, comma-separated, * and ? match several`,
      // A list or the name of one, which --peer tells.
      parse: (text: string) => text,
    },
    ...OTHERS,
    {
      flags: '--peer <names>',
      description:
        'names of clusters to forget, without any access to them, comma-separated or repeated; each cluster of --context or --all forgets them, but its own',
      parse: parseList,
      repeatable: 'lists',
      complete: 'peers',
    },
    {
      flags: '--ignore-not-found',
      group: 'run',
      description: 'a name of --peer that the cluster does not know is no error: it may be forgotten already',
      default: false,
    },
    {
      flags: '--force',
      group: 'run',
      description: "continue when a destination cannot be reached, and clean up the source's side",
      default: false,
    },
    {
      flags: '--no-wait',
      group: 'run',
      description: 'do not wait until the remote etcds refuse the peers and no agent reports them any more',
    },
    partingWait('for etcds and agents to drop the peers'),
    NO_ROLLBACK,
    YES,
    DRY_RUN,
    RESULT_OR_PLAN_FORMAT,
  ],
} as const satisfies CommandSpec;
