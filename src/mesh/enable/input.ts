import type { SecretCertificate } from '../certificates/cluster-certificates.ts';
import type { AuthorityPlan } from '../certificates/plan-authority.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import type { KubeObject, ObjectRef } from '../objects/kube-object.ts';
import type { CertificateOrder } from '../plan/plan.ts';
import type { PeerMove } from './effects/peer-move.ts';

/** What the plan of one cluster is made from. */
export interface EnableInput {
  snapshot: ClusterSnapshot;
  /** The cluster with the Service as it will be; see {@link withService}. */
  planned: ClusterSnapshot;
  /** All objects as rendered for this cluster; those of certificates without data. */
  objects: readonly KubeObject[];
  certificates: readonly SecretCertificate[];
  authority: AuthorityPlan;
  /** The peers' files go over to other diallers. */
  move?: PeerMove | undefined;
  /** Everything that other options would render: what meshctl made of it and is not rendered goes. */
  possible: readonly ObjectRef[];
  /** Of certificates that are issued; absent: the defaults. */
  issuing?: Pick<CertificateOrder, 'validityMs' | 'keySize'> | undefined;
  /** Take over what others have made. */
  force: boolean;
  /** Take back what somebody set by hand in objects that are meshctl's own. */
  overruleHands?: boolean | undefined;
  now: Date;
}
