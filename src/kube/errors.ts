import { kubectlCommand } from '../mesh/command-line.ts';
import { type ErrorCode, MeshctlError } from '../mesh/errors.ts';
import { describeRights } from '../mesh/objects/access-rules.ts';
import { admissionHint, silentWebhook } from '../mesh/objects/admission-hint.ts';
import { AGENT_PEERS_SECRET, KVSTOREMESH_PEERS_SECRET } from '../mesh/objects/names.ts';
import { ROOM_HINT } from '../mesh/objects/secret-data.ts';
import { type AuthKind, loginHint } from './access/auth-kind.ts';
import { type KubeStatus, parseStatus } from './api-status.ts';
import { grantHint, isLooking, type WithheldRights, withheldRights } from './missing-rights.ts';

/** The API server that is asked. */
export interface Whereabouts {
  /** The kubeconfig context. */
  context: string;
  /** The API server's URL, without a password. */
  server: string;
  /** The proxy in between, for people. */
  through?: string | undefined;
}

/** What was attempted, in the words of the API: everything that messages need. */
export interface ApiAction extends Whereabouts {
  /** As in RBAC: get, list, watch, create, patch, delete. */
  verb: string;
  /** What it was attempted on, for people: `Secret kube-system/cilium-ca`. */
  target: string;
  /** What was attempted, for people, after "cannot"; default: verb and target. */
  attempt?: string | undefined;
  /** As in RBAC, e.g. `secrets` or `pods/exec`; absent for non-resource paths. */
  resource?: string | undefined;
  apiGroup?: string | undefined;
  namespace?: string | undefined;
}

/** What was attempted, for people, after "cannot". */
export function attemptOf({ attempt, verb, target }: ApiAction): string {
  return attempt ?? `${verb} ${target}`;
}

/** A refused request. */
export interface ApiRefusal {
  status: number;
  /** The body: a `Status` object, or whatever a proxy in between wrote. */
  body: string;
  /** When it was answered, by the API server's clock; without it nothing is told of times. */
  at?: Date | undefined;
}

/** From when and until when a certificate is valid. */
export interface CertificateTime {
  notBefore: Date;
  notAfter: Date;
}

/** Who asks, for what 401 and 403 can say. */
export interface Identity {
  auth: AuthKind;
  /** The time of the client certificate that the kubeconfig brings. */
  certificateTime?: CertificateTime | undefined;
}

/** Turns an HTTP refusal into the one error that the operator reads. */
export function errorOfRefusal(action: ApiAction, refusal: ApiRefusal, identity: Identity): MeshctlError {
  const status = parseStatus(refusal.body);
  const code = refusal.status;
  const details = {
    context: action.context,
    verb: action.verb,
    object: action.target,
    httpStatus: code,
    ...(status?.reason ? { reason: status.reason } : {}),
  };
  const said = saidBy(refusal, status);
  const cannot = `cannot ${attemptOf(action)}`;
  const fail: Fail = (errorCode, text, hint, more) =>
    new MeshctlError(errorCode, `context "${action.context}": ${text}`, { hint, details: { ...details, ...more } });

  const rule = admissionHint(action, status?.message ?? '');
  const webhook = /admission webhook "([^"]+)" denied the request(?:: (.*))?/s.exec(status?.message ?? '');
  if (webhook) {
    const why = webhook[2] ? `: ${plainWords(webhook[2])}` : '';
    return fail('Rejected', `${cannot}: admission webhook "${webhook[1]}" denies it${why}`, rule, {
      webhook: webhook[1],
    });
  }
  if (code === 401)
    return fail(
      'Unauthenticated',
      'the API server does not accept the credentials',
      unauthenticatedHint(identity, refusal.at),
    );
  if (code === 403) {
    const withheld = withheldRights(status?.message ?? '');
    if (withheld) return cannotGrant(action, withheld, fail);
    const denied = /User "([^"]*)" cannot/.exec(status?.message ?? '');
    // Admission (quota, Pod Security, a namespace that is being deleted) also answers 403.
    // It has no part in reading, but in exec and port-forward, which are read; other authorisers than RBAC have words of their own.
    const isRead = isLooking(action.verb);
    if (status?.message && !denied && (!isRead || rule !== undefined))
      return fail('Rejected', `${cannot}: ${said}`, rule);
    return forbidden(action, denied?.[1], status?.message ?? '', fail);
  }
  if (code === 404) return notFound(action, status, fail);
  if (code === 409 && status?.reason === 'AlreadyExists') {
    return fail(
      'Conflict',
      `${action.target} exists already: it was not there when the cluster was read`,
      'Run the same command again.',
    );
  }
  if (code === 409) return conflict(action, status, said, fail);
  if (code === 410) return fail('ApiFailure', `${cannot}: ${said}`);
  if (code === 400 || code === 413 || code === 415 || code === 422) {
    const causes = (status?.details?.causes ?? []).map((cause) => ({
      field: cause.field,
      message: plainWords(cause.message ?? ''),
    }));
    return fail('Rejected', `${cannot}: ${said}`, immutableHint(action, status) ?? roomHint(status) ?? rule, {
      causes,
    });
  }
  const calling = silentWebhook(status?.message ?? '');
  if (calling) return fail('ApiFailure', `${cannot}: ${said}`, rule, { webhook: calling });
  const hint =
    code === 429
      ? 'The API server is overloaded; try again later.'
      : 'Try again; if it lasts, check the API server and its etcd.';
  return fail('ApiFailure', `${cannot}: the API server answers ${code}: ${said}`, hint);
}

/** What to do about an object whose data nobody can change (https://kubernetes.io/docs/concepts/configuration/secret/#secret-immutable). */
function immutableHint(
  { context, namespace, target, resource = '' }: ApiAction,
  status?: KubeStatus,
): string | undefined {
  if (!/field is immutable when `immutable` is set/.test(status?.message ?? '')) return undefined;
  const name = status?.details?.name ?? target.slice(target.lastIndexOf('/') + 1);
  const read = kubectlCommand({ context, namespace }, ['get', resource, name, '-o', 'yaml']);
  const write = kubectlCommand({ context }, ['replace', '--force', '-f', '-']);
  return `Someone made it immutable. If it may change, recreate it without that: ${read} | sed '/^immutable: true$/d' | ${write}`;
}

/** What to do about a Secret of peers that would have more data than any may (Kubernetes' pkg/apis/core/validation). */
function roomHint(status?: KubeStatus): string | undefined {
  const isFull = /Too long: (may not be more than|must have at most) 1048576 bytes/.test(status?.message ?? '');
  const isOfPeers = [AGENT_PEERS_SECRET, KVSTOREMESH_PEERS_SECRET].includes(status?.details?.name ?? '');
  return isFull && isOfPeers ? ROOM_HINT : undefined;
}

/** What asks for the verb get by its method and, from Kubernetes 1.35 on, for create too. */
const STREAMS: readonly string[] = ['pods/exec', 'pods/portforward'];

type Fail = (code: ErrorCode, text: string, hint?: string, more?: Record<string, unknown>) => MeshctlError;

function forbidden(action: ApiAction, user: string | undefined, message: string, fail: Fail): MeshctlError {
  const who = user === undefined ? 'the user' : `user "${user}"`;
  const scope = action.namespace ? ` in namespace ${action.namespace}` : '';
  // The server names the rule that it missed, which may differ from what was asked: exec needs two verbs.
  const missed = /cannot (\S+) resource "([^"]*)" in API group "([^"]*)"/.exec(message);
  const resource = missed?.[2] ?? action.resource ?? action.target;
  // Of the two it may not say which, and from 1.35 on it is as a rule the one that the request's own verb is not.
  const verbs =
    missed?.[1] === undefined && STREAMS.includes(resource) ? ['get', 'create'] : [missed?.[1] ?? action.verb];
  const verb = verbs.at(-1) ?? action.verb;
  const apiGroup = missed?.[3] ?? action.apiGroup ?? '';
  const { context, namespace } = action;
  // From Kubernetes 1.36 on the verb may be e.g. impersonate-on:user-info:get, of the resource asked for.
  if (verb.startsWith('impersonate')) {
    const rights = ['users', 'groups'].map((kind) => ({ apiGroup: '', resource: kind, verbs: ['impersonate'] }));
    return fail('Forbidden', `${who} may not impersonate others`, grantHint({ context, rights, user }), { user });
  }
  const hint =
    user === 'system:anonymous'
      ? 'The kubeconfig gives this context no credentials that the API server knows.'
      : grantHint({ context, namespace, rights: [{ apiGroup, resource, verbs }], user });
  return fail(
    'Forbidden',
    `cannot ${attemptOf(action)}: ${who} may not ${verbs.join(' or ')} ${resource}${scope}`,
    hint,
    {
      user,
      rule: { apiGroup, resource, verb, namespace: action.namespace },
    },
  );
}

/** The object gives others rights that its writer has not: those are what is missing, not one to write it. */
function cannotGrant(action: ApiAction, { user, rights }: WithheldRights, fail: Fail): MeshctlError {
  const [first] = rights;
  const hint = grantHint({ context: action.context, namespace: action.namespace, rights, user });
  return fail(
    'Forbidden',
    `cannot ${attemptOf(action)}: user "${user}" lacks rights that it grants (${describeRights(rights)})`,
    hint,
    {
      user,
      ...(first && { rule: { apiGroup: first.apiGroup, resource: first.resource, verb: first.verbs[0] ?? '*' } }),
    },
  );
}

function conflict(action: ApiAction, status: KubeStatus | undefined, said: string, fail: Fail): MeshctlError {
  const owned = (status?.details?.causes ?? [])
    .filter((cause) => cause.reason === 'FieldManagerConflict')
    .map((cause) => ({
      field: cause.field ?? '',
      manager: /conflict with "([^"]*)"/.exec(cause.message ?? '')?.[1] ?? 'another manager',
    }));
  if (owned.length === 0) {
    return fail(
      'Conflict',
      `cannot ${attemptOf(action)}: ${said}`,
      'Someone else changed it meanwhile; run the same command again.',
    );
  }
  const words = owned.map(({ field, manager }) => `${field} (${manager})`).join(', ');
  return fail(
    'Conflict',
    `cannot ${attemptOf(action)}: other managers own ${words}`,
    // Which command takes them over only its flow knows: another one than was run might take over what nobody asked about.
    'Change these fields where their managers have them from, or have those give them up.',
    {
      conflicts: owned,
    },
  );
}

function notFound(action: ApiAction, status: KubeStatus | undefined, fail: Fail): MeshctlError {
  const { kind, name } = status?.details ?? {};
  if (kind === 'namespaces' && name && name === action.namespace) {
    return fail('NotFound', `namespace ${name} does not exist`, 'Name another one with -n, or create it.');
  }
  // What a kubelet is asked for (exec, log, portforward) is answered so where the pod is there and its Node is not (seen with Kubernetes 1.36).
  if (name && action.resource?.startsWith('pods/') && !action.target.endsWith(`/${name}`)) {
    const see = kubectlCommand({ context: action.context }, ['get', 'nodes', '-o', 'wide']);
    return fail(
      'NotFound',
      `${action.target} is on Node ${name}, which does not exist`,
      `Such a pod looks ready for a while, and is removed then; the next one needs a node that is there: ${see}`,
    );
  }
  if (name) return fail('NotFound', `${action.target} does not exist`);
  // Without a name in the answer it is the kind that is not served, e.g. because its CRD is missing.
  const group = action.apiGroup ? ` in API group ${action.apiGroup}` : '';
  return fail(
    'NotFound',
    `the API server serves no ${(action.resource ?? action.target).replace(/^the /, '')}${group}`,
  );
}

function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10);
}

/** @param answeredAt by the clock of the API server, by which it judges */
function unauthenticatedHint({ auth, certificateTime: time }: Identity, answeredAt: Date | undefined): string {
  switch (auth.kind) {
    case 'exec':
      return loginHint(auth.command);
    case 'client certificate': {
      if (time && answeredAt && time.notAfter < answeredAt)
        return `The client certificate expired on ${dayOf(time.notAfter)}: fetch a new kubeconfig.`;
      // Who made it just now has the time before the API server.
      if (time && answeredAt && time.notBefore > answeredAt)
        return `The client certificate is not valid before ${time.notBefore.toISOString()}, and by the API server's clock it is ${answeredAt.toISOString()}: set right which is wrong.`;
      return "The client certificate is not from a CA that this cluster trusts: fetch the cluster's kubeconfig again.";
    }
    case 'token':
    case 'token file':
      return 'The token may have expired: get a new one.';
    case 'auth provider':
      return 'Log in again, e.g. with kubectl and the same context.';
    case 'password':
      return 'Check user name and password in the kubeconfig.';
    case 'none':
      return 'The kubeconfig gives this context no credentials.';
  }
}

function saidBy(refusal: ApiRefusal, status: KubeStatus | undefined): string {
  if (status?.message) return plainWords(status.message);
  const text = /^\s*</.test(refusal.body) ? '' : plainWords(refusal.body);
  return text || `HTTP ${refusal.status}`;
}

const MAX_WORDS = 600;

/**
 * A server's message, fit to print. JSON decoding errors quote what they were decoding, and that may be a Secret:
 * the quotation is cut off.
 */
function plainWords(text: string): string {
  const cut = text.replace(/,? ?error found in #.*/s, '').replace(/-----BEGIN .*/s, '…');
  const line = cut.trim().replace(/\s+/g, ' ');
  return line.length > MAX_WORDS ? `${line.slice(0, MAX_WORDS)}…` : line;
}
