import { authorityTrouble, isServedByCertManager } from '../../certificates/authority.ts';
import { waysToSign } from '../../certificates/foreign-authority.ts';
import type { AuthorityPlan } from '../../certificates/plan-authority.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { meshctlCommand } from '../../command-line.ts';
import { MeshctlError } from '../../errors.ts';
import { CA_SECRET } from '../../objects/names.ts';
import { takenUp } from '../../objects/source-advice.ts';
import { withoutNamesakes } from '../../peers/namesakes.ts';
import { unfinishedRotations } from '../../rotation/unfinished-rotation.ts';
import type { PeerMove } from '../effects/peer-move.ts';
import type { EnableSettings } from '../settings.ts';
import { chartApplier, rendersUnseen } from './chart-issuing.ts';
import type { HelmValues } from './values.ts';

/** What of a plan of enable tells whether Helm can carry it out. */
export interface HelmPlan {
  snapshot: ClusterSnapshot;
  authority: AuthorityPlan;
  move: PeerMove | undefined;
  settings: Pick<EnableSettings, 'kvstoremesh'>;
}

/**
 * Refuses what Helm would do to a mesh that works: it makes a CA where there is none (`cilium.ca.setup` in the chart's
 * _helpers.tpl), issues every certificate from that of Secret cilium-ca alone, and moves nobody's files.
 * @param others other clusters, as far as they were read
 * @throws MeshctlError `CertificateAuthority`; `Incompatible`
 */
export function requireSafeForHelm(
  { snapshot, authority, move, settings }: HelmPlan,
  others: readonly ClusterSnapshot[] = [],
): void {
  const { context, namespace } = snapshot;
  const details = { context, object: `Secret ${namespace}/${CA_SECRET}` };
  // The values name cert-manager then, which keeps its CA elsewhere.
  if (!isServedByCertManager(snapshot)) {
    if (!authority.step) {
      throw new MeshctlError(
        'CertificateAuthority',
        `context "${context}": Secret ${namespace}/${CA_SECRET} ${authorityTrouble(snapshot)}: Helm would make a new CA and cut every peer off`,
        { hint: `First ${waysToSign(snapshot, withoutNamesakes(snapshot, others))}`, details },
      );
    }
    const rotation = unfinishedRotations([snapshot, ...others]).find((one) => one.context === context);
    if (rotation) {
      throw new MeshctlError(
        'CertificateAuthority',
        `context "${context}": ${rotation.says}; Helm would issue every certificate from Secret ${namespace}/${CA_SECRET} alone, and cut off peers that have one of the other CA`,
        { hint: `First let the rotation end; ${rotation.hint}`, details },
      );
    }
  }
  if (!move) return;
  const flag = `--enable-kvstoremesh=${settings.kvstoremesh}`;
  throw new MeshctlError(
    'Incompatible',
    `context "${context}": Helm cannot switch KVStoreMesh while ${move.peers.join(', ')} is connected: the peers' files have to move along`,
    {
      hint: `Let meshctl do it, then run this again: ${meshctlCommand('clustermesh enable', { context }, [flag, '--force-conflicts'])}`,
      details: { context, peers: move.peers },
    },
  );
}

/**
 * Refuses where there is no release that an operator's `helm` could have otherwise, or where it would not stay so.
 * @param values the command that prints the values which it would have been given
 * @throws MeshctlError `Incompatible`
 */
export function requireOwnHelm(snapshot: ClusterSnapshot, values: string): void {
  const { context } = snapshot;
  const applier = chartApplier(snapshot);
  if (!applier) return;
  const what = rendersUnseen(applier)
    ? 'there is no release that helm could upgrade'
    : 'what helm upgrades is taken back by it';
  throw new MeshctlError('Incompatible', `context "${context}": ${applier.says} applies Cilium's chart, so ${what}`, {
    hint: `Put the values to those that it has${applier.kind === 'flux-helm' ? ', in its spec.values' : ''}${takenUp(applier)}: ${values}`,
    details: { context },
  });
}

/**
 * Refuses what Helm would refuse: it takes over no object without its marks.
 * @param values the commands that put them there, and whether Helm is to be forced then; @param force whether it is
 * @throws MeshctlError `Conflict`
 */
export function requireHandedOver(
  { context }: ClusterSnapshot,
  values: Pick<HelmValues, 'handOver' | 'force'>,
  force = false,
): void {
  const { handOver } = values;
  if (handOver === undefined) return;
  const again = values.force && !force ? 'again with --force-conflicts' : 'again';
  throw new MeshctlError('Conflict', `context "${context}": Helm refuses to adopt objects that it has not made`, {
    hint: `Hand them over, which cuts no peer off, then run the same command ${again}: ${handOver}`,
    details: { context },
  });
}
