import type { CertificateSpec } from '../certificates/certificate.ts';
import type { KubeObject, ObjectRef } from '../objects/kube-object.ts';

/** The field manager under which meshctl writes. */
export const FIELD_MANAGER = 'meshctl';

export type StepAction = 'create' | 'update' | 'delete' | 'keep';

/** One field that differs. `path` is dotted, list entries by their key: `spec.containers[etcd].image`. */
export interface Change {
  path: string;
  from?: unknown;
  to?: unknown;
}

/** Where an issued certificate goes within a Secret: the names of its keys. */
export interface CertificateKeys {
  ca: string;
  certificate: string;
  privateKey: string;
}

/** The keys of a `kubernetes.io/tls` Secret. */
export const TLS_KEYS: CertificateKeys = { ca: 'ca.crt', certificate: 'tls.crt', privateKey: 'tls.key' };

/** How a step is written. `keep` steps have none. */
export type StepWrite =
  /** Server-side apply of the whole object. @param force also of fields that others have set @param basis as of an `edit` */
  | { method: 'apply'; object: KubeObject; force?: true | undefined; basis?: EditBasis | undefined }
  /** POST; an object that appeared in the meantime is a conflict. */
  | { method: 'create'; object: KubeObject }
  /**
   * JSON merge patch (null removes a key). With `resourceVersion` the API server refuses it if someone else wrote in
   * between, and the caller plans anew.
   */
  | { method: 'patch'; patch: Record<string, unknown>; resourceVersion?: string | undefined }
  /** With `uid` or `resourceVersion` refused if it is another object, or no longer at this version. */
  | { method: 'delete'; uid?: string | undefined; resourceVersion?: string | undefined }
  /**
   * A change that is made from what is there, for values that several writers share (a list, a file in one key). The API
   * server refuses it if someone wrote in between; then it is made anew from the object as it is by then.
   */
  | {
      method: 'edit';
      /** POSTed where there is no such object. */
      create?: KubeObject | undefined;
      /** Undefined when nothing has to change. */
      edit: (live: KubeObject) => Edit | undefined;
      /** What of an object it was copied from: where that is not so any more, nothing is written, and the caller plans anew. */
      basis?: EditBasis | undefined;
      /** Takes back what `edit` did to `before`; without it, each field that still is as it was written. */
      rollback?: ((before: KubeObject, live: KubeObject) => Edit | undefined) | undefined;
    }
  /**
   * A CA that is put into this Secret: generated at apply time, or one that was read from elsewhere (`given` names it
   * among the authorities of the run). POST, or where the step is an update a merge patch at this very version.
   */
  | {
      method: 'authority';
      commonName: string;
      given?: string | undefined;
      /** Bits of the RSA key of one that is generated; default 2048. */
      keySize?: number | undefined;
      /** Of one that is generated; default ten years. */
      validityMs?: number | undefined;
      secret: KubeObject;
      /** Where a CA takes the place of another: what else in the Secret told of that one. */
      beside?: BesideAuthority | undefined;
    }
  /**
   * Certificates that are issued at apply time and put into a Secret together with other keys: by server-side apply
   * where the Secret is wholly ours, by merge patch where it holds more than this (POST if the step creates it).
   */
  | {
      method: 'issue';
      certificates: readonly CertificateOrder[];
      /** Set by a rotation where something that they take the place of could not stay, due or not. */
      mends?: true | undefined;
      /** Further keys that must arrive together with the certificates, as text. */
      data: Readonly<Record<string, string>>;
      /** Certificates that exist in another cluster's Secret and are copied as they are. */
      copies?: readonly CertificateCopy[] | undefined;
      /** Keys that get these CAs, whatever the certificates in this write come with. */
      trust?: readonly TrustOrder[] | undefined;
      /** Keys that go. */
      remove?: readonly string[] | undefined;
      /** Annotations to set, null for those that go. */
      marks?: Readonly<Record<string, string | null>> | undefined;
      /** The Secret without its data. */
      secret: KubeObject;
      /**
       * `exact`: by merge patch too, but only at the very version that the plan was made from: where someone wrote in
       * between, the API server refuses it, and the caller plans anew.
       */
      into: 'apply' | 'patch' | 'exact';
    }
  /** Pods are replaced by an annotation of their template that names the CAs which their etcd reads at its start. */
  | { method: 'restart'; annotation: string; trust: Omit<TrustOrder, 'key'> };

/** The object that values of a write were copied from, as it was read, and those values. Holds private keys: never printed. */
export interface EditBasis {
  source: KubeObject;
  data: Readonly<Record<string, string>>;
}

/** What of a Secret changes with the CA in it. */
export interface BesideAuthority {
  /** What becomes of the keys `tls.crt` and `tls.key` that are there: they get the CA and its key too, or go. */
  tlsKeys: { keys: readonly string[]; become: 'same' | 'removed' };
  /** Annotations to set. */
  marks: Readonly<Record<string, string>>;
}

/** CAs that go into one key of a Secret, as one PEM text. */
export interface TrustOrder {
  key: string;
  /** The name, among the authorities of the run, of a CA that comes first. */
  authority?: string | undefined;
  /** PEM; in this order, each once. */
  certificates: readonly string[];
}

/** One certificate to issue. */
export interface CertificateOrder {
  spec: CertificateSpec;
  /** The context whose CA signs. */
  signer: string;
  keys: CertificateKeys;
  /** Default: Cilium's three years. */
  validityMs?: number | undefined;
  /** Bits of the RSA key; default 2048. */
  keySize?: number | undefined;
}

/** A certificate in a `kubernetes.io/tls` Secret of another cluster, with its key, and where it goes. */
export interface CertificateCopy {
  /** That Secret as it was read. Holds a private key: never printed. */
  source: KubeObject;
  keys: CertificateKeys;
}

/** A JSON merge patch, or the end of an object that is of no more use. */
export type Edit = { patch: Record<string, unknown> } | 'delete';

/** Writes whose bytes exist only at apply time. */
export type DeferredWrite = Extract<StepWrite, { method: 'authority' | 'issue' | 'restart' }>;

/** Writes that can be sent as they are. */
export type ReadyWrite = Exclude<StepWrite, DeferredWrite>;

/** One object of a plan. */
export interface Step {
  /** The kubeconfig context. */
  cluster: string;
  action: StepAction;
  object: ObjectRef;
  changes: readonly Change[];
  /** The reason, one short clause for people. */
  why: string;
  /** The same where it names peers that the changes name too, without them: for a plan in which many clusters do the same. */
  whyOfMany?: string | undefined;
  write?: StepWrite | undefined;
  /** The object as it should be, where meshctl makes all of it or it holds nothing of others; also of a `keep`. For `-o manifests`. */
  wanted?: KubeObject | undefined;
  /** Fields that would be overwritten although another manager has set them; not without --force-conflicts. */
  conflicts?: readonly { path: string; manager: string }[] | undefined;
  /** Fields that are overwritten although another manager has set them, by --force-conflicts, or because they are meshctl's to fill. */
  takenFrom?: readonly { path: string; manager: string }[] | undefined;
  /** Of a `keep`: the command would have changed or removed it, but for `why`, which whoever agrees to the plan is to see. */
  isSpared?: true | undefined;
  /** The part of a plan that is carried out in several parts, one after the other. */
  phase?: string | undefined;
  /** The live object, for rolling back; absent when it does not exist. */
  before?: KubeObject | undefined;
}

/** Fields that another manager has set: they are taken over by --force-conflicts, and a conflict without it. */
export function disputes(
  fields: readonly { path: string; manager: string }[],
  force: boolean,
): Pick<Step, 'conflicts' | 'takenFrom'> {
  if (fields.length === 0) return {};
  return force ? { takenFrom: fields } : { conflicts: fields };
}

/** Whether a step writes anything. */
export function isChange({ action }: Pick<Step, 'action'>): boolean {
  return action !== 'keep';
}

/** Ordered per cluster; different clusters' steps may run in parallel. */
export interface Plan {
  steps: readonly Step[];
}
