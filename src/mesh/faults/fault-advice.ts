import { scaleUpCommand } from '../apiserver/deployment.ts';
import { enableAdvice, waysBack } from '../certificates/authority.ts';
import { restartAgentsCommand } from '../cilium/identity.ts';
import {
  connectCommand,
  describeCommand,
  kubectlCommand,
  meshctlCommand,
  ownedElsewhere,
  unnamedContext,
  withNamedContexts,
} from '../command-line.ts';
import { afterEnd } from '../enable/unfinished-disable.ts';
import { APISERVER_SELECTOR } from '../objects/names.ts';
import { dialServiceCommand } from '../peers/endpoint-overrides.ts';
import type { Fault, FaultId } from './fault.ts';

/** The contexts of clusters by name, as far as they are known. */
export type Contexts = ReadonlyMap<string, string>;

/** The context of a cluster, or what stands for one that only the operator knows. */
export function contextOf(contexts: Contexts, cluster: string): string {
  return contexts.get(cluster) ?? unnamedContext(cluster);
}

/**
 * What mends a fault: a command, or a sentence that ends with one.
 * @param unready names of clusters to which nobody can be connected as they are: each has a next step of its own
 */
export function mendOf(fault: Fault, contexts: Contexts, unready: ReadonlySet<string> = new Set()): string {
  const own = fault.hint === undefined ? undefined : withNamedContexts(fault.hint, contexts);
  const mend = own ?? MENDS[fault.id](fault, contexts, unready);
  return mend === enable(fault, contexts, unready) ? enableAdvice(fault) : mend;
}

type Mend = (fault: Fault, contexts: Contexts, unready: ReadonlySet<string>) => string;

/** Several to be connected by one command, without those for which it would be refused; where none is left, all of them. */
export function thoseReady<T>(all: readonly T[], isUnready: (one: T) => boolean): readonly T[] {
  const ready = all.filter((one) => !isUnready(one));
  return ready.length > 0 ? ready : all;
}

const connect: Mend = ({ context, peer, peers = peer === undefined ? [] : [peer] }, contexts, unready) => {
  const destinations = thoseReady(peers, (name) => unready.has(name)).map((name) => contextOf(contexts, name));
  return connectCommand(context, destinations);
};

/** A peer to which no context leads may be gone: then nothing connects it, and what is left of it goes. */
const connectOrForget: Mend = (fault, contexts, unready) => {
  const { context, peer } = fault;
  const again = connect(fault, contexts, unready);
  if (peer === undefined || contexts.has(peer)) return again;
  return `${again}; or if it is gone, forget it: ${meshctlCommand('clustermesh disconnect', { context }, ['--peer', peer])}`;
};

/** Most likely it was disconnected a moment ago. */
const awaitKubelets: Mend = (...asked) =>
  `it goes within a minute, when kubelets refresh the Secret; to keep it: ${connect(...asked)}`;

/** What was chosen stays until chosen anew. */
const dialService: Mend = ({ context, peer = '' }, contexts) =>
  dialServiceCommand(context, { name: peer, context: contextOf(contexts, peer) });

/** What the peer's own cluster has tells who answers there. */
const lookAtPeer: Mend = ({ context, peer = '' }, contexts) =>
  meshctlCommand('clustermesh status', { context: [context, contextOf(contexts, peer)] });

const enable: Mend = ({ context }) => meshctlCommand('clustermesh enable', { context });

const restoreAuthority: Mend = (fault) => waysBack(fault);

/** Those that dial a cluster that left the mesh forget it, each on its own side. */
const forget: Mend = ({ context, peers = [], unfinished }, contexts) => {
  const [name = context] = [...contexts].flatMap(([cluster, of]) => (of === context ? [cluster] : []));
  const dialling = peers.map((peer) => contextOf(contexts, peer));
  // A gap would keep those from being typed that are known.
  const isKnown = (of: string) => ownedElsewhere(of) === undefined;
  const sides = [dialling.filter(isKnown), ...dialling.filter((of) => !isKnown(of)).map((of) => [of])];
  const parting = sides
    .filter(({ length }) => length > 0)
    .map((of) => meshctlCommand('clustermesh disconnect', { context: of }, ['--peer', name]));
  const again = [afterEnd('enable', context, unfinished), connectCommand(context, dialling)];
  const [how, ends] = unfinished
    ? ['finish the disable and forget it', [afterEnd('disable', context, unfinished)]]
    : ['forget it', []];
  return `${how}: ${[...ends, ...parting].join(' && ')}; or join it again: ${again.join(' && ')}`;
};

/** Which of them is to be installed anew, only the operator knows. */
const compareIdentity: Mend = ({ context, peer }, contexts) => {
  const all = [context, ...(peer === undefined ? [] : [contextOf(contexts, peer)])];
  return meshctlCommand('clustermesh check', { context: all }, ['--category', 'identity']);
};

const lookAtSettings: Mend = ({ context }) =>
  meshctlCommand('clustermesh check', { context }, ['--category', 'config']);

/** The next step for each fault that has none of its own. */
export const MENDS: Readonly<Record<FaultId, Mend>> = {
  'peering-secret-missing': connect,
  'peering-file-missing': connectOrForget,
  'peering-file-unreadable': connectOrForget,
  'peering-file-no-cache': connectOrForget,
  'peer-certificate-missing': connectOrForget,
  'peer-certificate-unreadable': connectOrForget,
  'peer-certificate-key': connectOrForget,
  'peer-certificate-expired': connectOrForget,
  'peer-certificate-issuer': connectOrForget,
  'peer-certificate-foreign': connectOrForget,
  'peer-ca': connect,
  'peer-unconfigured': awaitKubelets,
  'choice-half-recorded': connect,
  'peering-lost': connect,
  'peers-mutual': connect,
  'peer-renamed': connect,
  'peer-address-gone': connect,
  'peer-address-chosen': dialService,
  'peer-address-doubtful': lookAtPeer,
  'peer-address-family': connect,
  'certificate-missing': enable,
  'certificate-unreadable': enable,
  'certificate-key': enable,
  'certificate-expired': enable,
  'certificate-usage': enable,
  'certificate-issuer': enable,
  'ca-missing': restoreAuthority,
  'ca-unreadable': restoreAuthority,
  'ca-key': restoreAuthority,
  'ca-foreign': enable,
  'users-missing': enable,
  'users-unreadable': enable,
  'peer-user-missing': connect,
  'mesh-disabled': forget,
  'apiserver-missing': enable,
  'service-missing': enable,
  'container-missing': enable,
  'kvstoremesh-missing': enable,
  'service-type': enable,
  'service-selector': enable,
  'service-port': enable,
  'service-target-port': enable,
  'apiserver-scaled-down': (place) => scaleUpCommand(place, undefined),
  'agents-missing': (place) => kubectlCommand(place, ['get', 'daemonsets']),
  'agents-outdated': (place) => restartAgentsCommand(place),
  'access-missing': enable,
  'identity-outdated': enable,
  'max-connected-clusters-running': compareIdentity,
  'max-connected-clusters-equal': compareIdentity,
  'identity-mode-unknown': compareIdentity,
  ztunnel: lookAtSettings,
  'cluster-id-of-eni': lookAtSettings,
  'cilium-endpoints': lookAtSettings,
  'cluster-name-unique': compareIdentity,
  'apiserver-rollout': (place) => describeCommand(place, 'pods', { selector: APISERVER_SELECTOR }),
  'apiserver-not-ready': (place) => describeCommand(place, 'pods', { selector: APISERVER_SELECTOR }),
};

/** The ids of all faults. */
export const FAULT_IDS = Object.keys(MENDS) as readonly FaultId[];
