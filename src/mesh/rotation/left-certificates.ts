import { reissueAdvice } from '../certificates/reissue.ts';
import { capital } from '../counted.ts';
import { keyOf } from '../objects/kube-object.ts';
import { secretRef } from '../objects/names.ts';
import { toolOf } from '../objects/ownership.ts';
import { groupBy } from '../pairs.ts';
import { type LeftSecret, leftToMakers } from './issue.ts';
import type { RotationInput } from './rotated-cluster.ts';

/** Certificates of a cluster for which new ones are asked, and which stay: they are good, and somebody else makes them. */
export interface LeftCertificates {
  context: string;
  /** For people: `Helm release cilium`. */
  owner: string;
  secrets: readonly string[];
  /** As a clause. */
  says: string;
  /** How its maker makes new ones. */
  hint: string;
}

/** What a run leaves to those who have made it, each cluster and maker once; of what cannot stay a run tells as a conflict. */
export function leftCertificates(input: RotationInput): LeftCertificates[] {
  const found = leftToMakers(input).map((one) => ({ ...one, owner: makerOf(one) }));
  const alike = groupBy(found, ({ holder, owner, peers }) =>
    JSON.stringify([holder.snapshot.context, owner, peers.length > 0]),
  );
  return [...alike.values()].flatMap((left) => {
    const [first, ...more] = left;
    if (!first) return [];
    const { holder, owner } = first;
    const secrets = left.map(({ secret }) => secret);
    const many = left.length > 1;
    const says = `${many ? 'Secrets' : 'Secret'} ${secrets.join(', ')} ${many ? 'stay as they are' : 'stays as it is'}, since ${owner} makes ${many ? 'them' : 'it'}`;
    return [{ context: holder.snapshot.context, owner, secrets, says, hint: hintFor(first, more) }];
  });
}

/** cert-manager has a Certificate for each Secret. */
function makerOf({ holder: { snapshot }, secret, owner }: LeftSecret): string {
  const tool = toolOf(snapshot.objects.get(keyOf(secretRef(snapshot.namespace, secret))));
  return tool?.kind === 'cert-manager' ? 'cert-manager' : owner;
}

function hintFor(first: LeftSecret, more: readonly LeftSecret[]): string {
  const peers = [...new Set([first, ...more].flatMap((one) => one.peers))];
  // A certificate for a peer is nothing that a tool issues: it was put where the tool has it from.
  if (peers.length > 0)
    return `Put a new certificate for ${peers.join(', ')} where ${first.owner} has the present one from.`;
  return capital(reissueAdvice(first.holder.snapshot, [first.secret, ...more.map(({ secret }) => secret)]));
}
