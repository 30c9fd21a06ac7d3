import { clientSpec } from '../mesh/cluster-certificates.ts';
import { dialingSecret } from '../mesh/direction.ts';
import { type KubeObject, keyOf, type ObjectRef } from '../mesh/kube-object.ts';
import { apiserverDeploymentRef, CA_SECRET, secretRef } from '../mesh/names.ts';
import { peerCertificateKeys } from '../mesh/peer-config.ts';
import { PEER_SECRETS } from '../mesh/peers.ts';
import { type Step, type StepWrite, TLS_KEYS } from '../mesh/plan.ts';
import { secretTexts } from '../mesh/secret-data.ts';
import { during, type Flow, type Target } from './flow.ts';
import {
  type Dialling,
  diallingsOf,
  leavesOf,
  type Member,
  markedFiles,
  readMembers,
  restartPatch,
} from './rotate-members.ts';

/** What a rotation would write, by object: an object that is written in both phases is there once. */
export interface RotationPlan {
  steps: Step[];
  /** How it would go, by context. */
  notes: Record<string, string[]>;
}

const PHASES = [
  'phase 1: everyone trusts the old and the new CA; the clustermesh-apiserver pods are replaced one by one',
  'phase 2: certificates from the new CA, each proved before it is handed out; then the old CA is let go, and the pods are replaced once more',
];

/**
 * Plans what `rotateCertificates` would do, and writes nothing.
 * @param ca the CAs too
 * @throws MeshctlError what a rotation would be refused for at its beginning
 */
export async function planRotation(flow: Flow, targets: readonly Target[], ca: boolean): Promise<RotationPlan> {
  const members = await during(flow, 'Reading the clusters', () => readMembers(flow, targets, ca));
  const diallings = diallingsOf(members);
  const now = flow.now();
  return {
    steps: members.flatMap((member) => [
      ...(ca ? [newAuthority(member)] : []),
      ...leavesOf(member).map(({ secret, spec }) =>
        update(member, secretRef(member.target.namespace, secret), `a new certificate for "${spec.commonName}"`, {
          method: 'issue',
          certificates: [{ spec, signer: member.snapshot.context, keys: TLS_KEYS }],
          data: {},
          secret: bare(secretRef(member.target.namespace, secret)),
          into: 'patch',
        }),
      ),
      ...peeringSteps(
        member,
        diallings.filter(({ from }) => from === member),
        ca ? now : undefined,
      ),
      ...(ca ? [restart(member, now)] : []),
    ]),
    notes: ca ? Object.fromEntries(members.map(({ snapshot }) => [snapshot.context, PHASES])) : {},
  };
}

function newAuthority(member: Member): Step {
  const ref = secretRef(member.target.namespace, CA_SECRET);
  const write = { method: 'authority', commonName: 'Cilium CA', secret: bare(ref) } as const;
  return update(member, ref, 'a new CA', write);
}

/** @param touched when the files are changed so that the CAs are read anew; undefined where they stay */
function peeringSteps(member: Member, diallings: readonly Dialling[], touched: Date | undefined): Step[] {
  return PEER_SECRETS.flatMap((secret) => {
    const ref = secretRef(member.target.namespace, secret);
    const orders = secret === dialingSecret(member.snapshot) ? diallings : [];
    const files = touched ? markedFiles(secretTexts(member.snapshot.objects.get(keyOf(ref))), touched) : {};
    if (orders.length === 0 && Object.keys(files).length === 0) return [];
    const why = [
      ...orders.map(({ to, user }) => `a new certificate for "${user}" to dial ${to.name}`),
      ...(touched ? ['a new mark in the peering files, so that the CAs are read anew'] : []),
    ].join('; ');
    const certificates = orders.map(({ to, user }) => ({
      spec: clientSpec(user),
      signer: to.snapshot.context,
      keys: peerCertificateKeys(to.name),
    }));
    return [update(member, ref, why, { method: 'issue', certificates, data: files, secret: bare(ref), into: 'patch' })];
  });
}

function restart(member: Member, now: Date): Step {
  const why = 'its pods are replaced one by one, in each phase: etcd reads its CA only at its start';
  const patch = restartPatch(member, member.authority.certificate, now);
  return update(member, apiserverDeploymentRef(member.target.namespace), why, { method: 'patch', patch });
}

function update({ snapshot }: Member, object: ObjectRef, why: string, write: StepWrite): Step {
  const before = snapshot.objects.get(keyOf(object));
  return { cluster: snapshot.context, action: 'update', object, changes: [], why, write, ...(before && { before }) };
}

function bare({ apiVersion, kind, namespace, name }: ObjectRef): KubeObject {
  return { apiVersion, kind, metadata: { name, ...(namespace !== undefined && { namespace }) } };
}
