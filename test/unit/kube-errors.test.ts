import { describe, expect, test } from 'vitest';
import type { AuthKind } from '../../src/kube/access/auth-kind.ts';
import { type ApiAction, type CertificateTime, errorOfRefusal } from '../../src/kube/errors.ts';
import { errorOfTransport } from '../../src/kube/http/no-answer.ts';
import type { MeshctlError } from '../../src/mesh/errors.ts';
import { failure } from '../support/kube-server.ts';

const action: ApiAction = {
  context: 'c1',
  server: 'https://api.test:6443',
  verb: 'patch',
  target: 'Secret kube-system/cilium-ca',
  apiGroup: '',
  resource: 'secrets',
  namespace: 'kube-system',
};

function refused(
  status: number,
  body: unknown,
  {
    auth = { kind: 'token' } as AuthKind,
    certificateTime = undefined as CertificateTime | undefined,
    at = undefined as Date | undefined,
    on = action,
  } = {},
): MeshctlError {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return errorOfRefusal(on, { status, body: text, at }, { auth, certificateTime });
}

describe('401', () => {
  const unauthorized = failure(401, 'Unauthorized', 'Unauthorized');

  test.each<[AuthKind, string]>([
    [{ kind: 'exec', command: '/opt/bin/aws' }, 'Log in again, e.g. aws sso login'],
    [{ kind: 'exec', command: 'gke-gcloud-auth-plugin' }, 'Log in again: gcloud auth login'],
    [{ kind: 'exec', command: 'kubelogin' }, 'Log in again, e.g. az login'],
    [{ kind: 'exec', command: 'corp-login' }, 'Log in again with what corp-login takes its credentials from.'],
    [{ kind: 'token' }, 'The token may have expired: get a new one.'],
    [{ kind: 'none' }, 'The kubeconfig gives this context no credentials.'],
  ])('%o', (auth, hint) => {
    expect(refused(401, unauthorized, { auth })).toMatchObject({
      code: 'Unauthenticated',
      message: 'context "c1": the API server does not accept the credentials',
      hint,
    });
  });

  // The API server judges by its own clock, whatever the operator's shows.
  test.each<[string, string, string]>([
    [
      'that has expired there',
      '2024-02-04T00:00:00Z',
      'The client certificate expired on 2024-02-03: fetch a new kubeconfig.',
    ],
    [
      'that is not valid there yet',
      '2023-02-03T03:00:00Z',
      "The client certificate is not valid before 2023-02-03T04:05:06.000Z, and by the API server's clock it is 2023-02-03T03:00:00.000Z: set right which is wrong.",
    ],
    [
      'that is in time there',
      '2024-02-03T00:00:00Z',
      "The client certificate is not from a CA that this cluster trusts: fetch the cluster's kubeconfig again.",
    ],
  ])('a client certificate %s', (_which, at, hint) => {
    const certificateTime = { notBefore: new Date('2023-02-03T04:05:06Z'), notAfter: new Date('2024-02-03T04:05:06Z') };
    const given = { auth: { kind: 'client certificate' } as const, certificateTime, at: new Date(at) };
    expect(refused(401, unauthorized, given).hint).toBe(hint);
  });
});

describe('403', () => {
  test('names user, verb, resource, namespace and the rule that is missing', () => {
    const message =
      'secrets "cilium-ca" is forbidden: User "jane" cannot patch resource "secrets" in API group "" in the namespace "kube-system"';
    expect(refused(403, failure(403, 'Forbidden', message))).toMatchObject({
      code: 'Forbidden',
      message:
        'context "c1": cannot patch Secret kube-system/cilium-ca: user "jane" may not patch secrets in namespace kube-system',
      hint:
        "All that meshctl needs is in templates/rbac of meshctl's package, for the group meshctl-operators; " +
        'this right alone, granted by a cluster administrator: ' +
        'kubectl --context c1 -n kube-system create role meshctl-patch-secrets --verb=patch --resource=secrets --dry-run=client -o yaml | kubectl --context c1 -n kube-system auth reconcile -f - && ' +
        'kubectl --context c1 -n kube-system create rolebinding meshctl-patch-secrets --role=meshctl-patch-secrets --user=jane --dry-run=client -o yaml | kubectl --context c1 -n kube-system auth reconcile -f -',
      details: { user: 'jane', rule: { apiGroup: '', resource: 'secrets', verb: 'patch', namespace: 'kube-system' } },
    });
  });

  test('names the role for looking where that is what was refused', () => {
    const at = (verb: string, resource = 'secrets') =>
      refused(
        403,
        failure(403, 'Forbidden', `a is forbidden: User "jane" cannot ${verb} resource "${resource}" in API group ""`),
      ).hint;
    const looking = 'and what looking takes in its folder viewer, for meshctl-viewers; this right alone';
    expect(at('list')).toContain(looking);
    expect(at('create', 'pods/exec')).toContain(looking);
    expect(at('create')).not.toContain('viewer');
  });

  test('takes the rule from the answer: exec needs two verbs', () => {
    const on = { ...action, attempt: 'run id in container c of Pod n/p', verb: 'get', resource: 'pods/exec' };
    const message =
      'pods "p" is forbidden: User "jane" cannot create resource "pods/exec" in API group "" in the namespace "n"';
    const error = refused(403, failure(403, 'Forbidden', message), { on });
    expect(error.message).toBe(
      'context "c1": cannot run id in container c of Pod n/p: user "jane" may not create pods/exec in namespace kube-system',
    );
    expect(error.hint).toContain(
      'create role meshctl-create-pods-exec --verb=create --resource=pods/exec --dry-run=client -o yaml | ',
    );
  });

  test.each([
    'users "root" is forbidden: User "jane" cannot impersonate resource "users" in API group "" at the cluster scope',
    'secrets "a" is forbidden: User "jane" cannot impersonate-on:user-info:get resource "secrets" in API group "" in the namespace "n"',
  ])('impersonation: %s', (message) => {
    expect(refused(403, failure(403, 'Forbidden', message))).toMatchObject({
      message: 'context "c1": user "jane" may not impersonate others',
      hint: expect.stringMatching(
        /: kubectl --context c1 create clusterrole (meshctl-\S+) --verb=impersonate --resource=users,groups --dry-run=client -o yaml \| kubectl --context c1 auth reconcile -f - && kubectl --context c1 create clusterrolebinding \1 --clusterrole=\1 --user=jane --dry-run=client -o yaml \| kubectl --context c1 auth reconcile -f -$/,
      ),
    });
  });

  test('rights that an object hands on and its writer lacks are named, not a right to write it', () => {
    const on = { ...action, namespace: undefined, verb: 'create', target: 'ClusterRole clustermesh-apiserver' };
    const message = [
      'clusterroles.rbac.authorization.k8s.io "clustermesh-apiserver" is forbidden: user "jane" (groups=["ops" "system:authenticated"]) is attempting to grant RBAC permissions not currently held:',
      '{APIGroups:[""], Resources:["namespaces"], Verbs:["get"]}',
      '{APIGroups:["cilium.io"], Resources:["ciliumnodes"], Verbs:["get" "list"]}',
      '{APIGroups:["multicluster.x-k8s.io"], Resources:["serviceexports"], Verbs:["get" "list"]}',
    ].join('\n');
    const error = refused(403, failure(403, 'Forbidden', message), { on });
    expect(error).toMatchObject({
      code: 'Forbidden',
      message:
        'context "c1": cannot create ClusterRole clustermesh-apiserver: user "jane" lacks rights that it grants (get: namespaces; get, list: ciliumnodes.cilium.io, serviceexports.multicluster.x-k8s.io)',
      details: { user: 'jane', rule: { apiGroup: '', resource: 'namespaces', verb: 'get' } },
    });
    expect(error.hint).toMatch(
      /these rights alone, granted by a cluster administrator: .*create clusterrole meshctl-get-namespaces --verb=get --resource=namespaces .*create clusterrole (meshctl-get-list-ciliumnodes-serviceexports) --verb=get,list --resource=ciliumnodes.cilium.io,serviceexports.multicluster.x-k8s.io .*create clusterrolebinding \1 --clusterrole=\1 --user=jane /,
    );
  });

  test('a right in the whole cluster, and one of another API group', () => {
    const on = { ...action, namespace: undefined, apiGroup: 'cilium.io', resource: 'ciliumnodes', verb: 'list' };
    const message =
      'ciliumnodes.cilium.io is forbidden: User "it\'s" cannot list resource "ciliumnodes" in API group "cilium.io" at the cluster scope';
    const { hint } = refused(403, failure(403, 'Forbidden', message), { on });
    expect(hint).toContain(
      'create clusterrole meshctl-list-ciliumnodes --verb=list --resource=ciliumnodes.cilium.io --dry-run=client -o yaml |',
    );
    expect(
      hint?.endsWith(
        String.raw`--clusterrole=meshctl-list-ciliumnodes '--user=it'\''s' --dry-run=client -o yaml | kubectl --context c1 auth reconcile -f -`,
      ),
    ).toBe(true);
  });

  test('an anonymous user has no credentials rather than too few rights', () => {
    const message =
      'secrets is forbidden: User "system:anonymous" cannot list resource "secrets" in API group "" at the cluster scope';
    expect(refused(403, failure(403, 'Forbidden', message)).hint).toBe(
      'The kubeconfig gives this context no credentials that the API server knows.',
    );
  });

  test.each([
    [
      422,
      `secrets "cilium-ca" is forbidden: ValidatingAdmissionPolicy 'freeze.example.com' with binding 'all' denied request: no changes today`,
      'See what that policy asks for: kubectl --context c1 get validatingadmissionpolicy freeze.example.com -o yaml',
    ],
    [
      403,
      'secrets "cilium-ca" is forbidden: exceeded quota: small, requested: count/secrets=1, used: count/secrets=9, limited: count/secrets=9',
      'Have that quota raised, or make room in it: kubectl --context c1 -n kube-system describe resourcequota/small',
    ],
    [
      403,
      'secrets "cilium-ca" is forbidden: unable to create new content in namespace kube-system because it is being terminated',
      'Run the same command again once it is gone: kubectl --context c1 wait --for=delete namespace/kube-system',
    ],
    [
      400,
      'admission webhook "policy.example.com" denied the request: no',
      "Whoever runs that webhook can tell, or let it pass; see whose it is: kubectl --context c1 get validatingwebhookconfigurations,mutatingwebhookconfigurations -o 'custom-columns=KIND:.kind,NAME:.metadata.name,WEBHOOKS:.webhooks[*].name'",
    ],
    [422, `x is forbidden: ValidatingAdmissionPolicy '-oyaml; rm' with binding 'all' denied request: y`, undefined],
  ])('%i by a rule of the cluster: the hint shows the rule (%s)', (code, message, hint) => {
    const error = refused(code, failure(code, code === 422 ? 'Invalid' : 'Forbidden', message));
    expect([error.code, error.hint]).toEqual(['Rejected', hint]);
  });

  test('a policy that refuses exec is no matter of rights, though exec is a read', () => {
    const on = { ...action, attempt: 'run id in container c of Pod n/p', verb: 'get', resource: 'pods/exec' };
    const message = `pods "p" is forbidden: ValidatingAdmissionPolicy 'deny-exec' with binding 'all' denied request: no`;
    expect(refused(403, failure(403, 'Forbidden', message), { on })).toMatchObject({
      code: 'Rejected',
      message: `context "c1": cannot run id in container c of Pod n/p: ${message}`,
      hint: 'See what that policy asks for: kubectl --context c1 get validatingadmissionpolicy deny-exec -o yaml',
    });
  });

  test('quotas and Pod Security are no matter of rights', () => {
    const message = 'pods "p" is forbidden: violates PodSecurity "restricted:latest"';
    expect(refused(403, failure(403, 'Forbidden', message))).toMatchObject({
      code: 'Rejected',
      message: `context "c1": cannot patch Secret kube-system/cilium-ca: ${message}`,
    });
  });
});

describe('404', () => {
  test('the object', () => {
    const status = failure(404, 'NotFound', 'secrets "cilium-ca" not found', { kind: 'secrets', name: 'cilium-ca' });
    expect(refused(404, status)).toMatchObject({
      code: 'NotFound',
      message: 'context "c1": Secret kube-system/cilium-ca does not exist',
    });
  });

  test.each(['pods/exec', 'pods/log', 'pods/portforward'])('the node of a pod that is there (%s)', (resource) => {
    const on = { ...action, resource, target: 'Pod kube-system/apiserver-1' };
    const status = failure(404, 'NotFound', 'pods "node-1" not found', { kind: 'pods', name: 'node-1' });
    expect(refused(404, status, { on })).toMatchObject({
      message: 'context "c1": Pod kube-system/apiserver-1 is on Node node-1, which does not exist',
      hint: expect.stringMatching(/: kubectl --context c1 get nodes -o wide$/),
    });
    const gone = failure(404, 'NotFound', 'pods "apiserver-1" not found', { kind: 'pods', name: 'apiserver-1' });
    expect(refused(404, gone, { on }).message).toBe('context "c1": Pod kube-system/apiserver-1 does not exist');
  });

  test('the namespace', () => {
    const status = failure(404, 'NotFound', 'namespaces "kube-system" not found', {
      kind: 'namespaces',
      name: 'kube-system',
    });
    expect(refused(404, status).message).toBe('context "c1": namespace kube-system does not exist');
  });

  test('the kind', () => {
    const on = {
      ...action,
      target: 'ServiceMonitor a/b',
      resource: 'servicemonitors',
      apiGroup: 'monitoring.coreos.com',
    };
    expect(refused(404, '404 page not found\n', { on }).message).toBe(
      'context "c1": the API server serves no servicemonitors in API group monitoring.coreos.com',
    );
  });
});

describe('409', () => {
  test('names the fields and their owners', () => {
    const causes = [
      { reason: 'FieldManagerConflict', message: 'conflict with "helm" using apps/v1', field: '.spec.replicas' },
      { reason: 'FieldManagerConflict', message: 'conflict with "kubectl-edit" using apps/v1', field: '.spec.paused' },
    ];
    expect(refused(409, failure(409, 'Conflict', 'Apply failed with 2 conflicts', { causes }))).toMatchObject({
      code: 'Conflict',
      message:
        'context "c1": cannot patch Secret kube-system/cilium-ca: other managers own .spec.replicas (helm), .spec.paused (kubectl-edit)',
      hint: 'Change these fields where their managers have them from, or have those give them up.',
    });
  });

  test('someone else wrote, or created it', () => {
    expect(refused(409, failure(409, 'Conflict', 'the object has been modified'))).toMatchObject({
      code: 'Conflict',
      hint: 'Someone else changed it meanwhile; run the same command again.',
    });
    expect(refused(409, failure(409, 'AlreadyExists', 'exists'))).toMatchObject({
      code: 'Conflict',
      message: 'context "c1": Secret kube-system/cilium-ca exists already: it was not there when the cluster was read',
      details: { reason: 'AlreadyExists' },
    });
  });
});

describe('rejected objects', () => {
  test('422 of what somebody made immutable, with the way to change it after all', () => {
    const text = 'Secret "cilium-ca" is invalid: data: Forbidden: field is immutable when `immutable` is set';
    expect(refused(422, failure(422, 'Invalid', text, { kind: 'Secret', name: 'cilium-ca' })).hint).toContain(
      "kubectl --context c1 -n kube-system get secrets cilium-ca -o yaml | sed '/^immutable: true$/d' | kubectl --context c1 replace --force -f -",
    );
  });

  test('422 with its causes', () => {
    const causes = [{ reason: 'FieldValueInvalid', message: 'Invalid value: 70000', field: 'spec.ports[0].port' }];
    expect(
      refused(422, failure(422, 'Invalid', 'Service "x" is invalid: spec.ports[0].port', { causes })),
    ).toMatchObject({
      code: 'Rejected',
      message: 'context "c1": cannot patch Secret kube-system/cilium-ca: Service "x" is invalid: spec.ports[0].port',
      details: { causes: [{ field: 'spec.ports[0].port', message: 'Invalid value: 70000' }] },
    });
  });

  test.each([400, 403, 500])('an admission webhook that says no with %i', (code) => {
    const status = failure(
      code,
      'Forbidden',
      'admission webhook "policy.example.com" denied the request: no NodePorts here',
    );
    expect(refused(code, status)).toMatchObject({
      code: 'Rejected',
      message:
        'context "c1": cannot patch Secret kube-system/cilium-ca: admission webhook "policy.example.com" denies it: no NodePorts here',
      details: { webhook: 'policy.example.com' },
    });
  });

  test('an admission webhook that does not answer', () => {
    const message = 'Internal error occurred: failed calling webhook "policy.example.com": context deadline exceeded';
    expect(refused(500, failure(500, 'InternalError', message))).toMatchObject({
      code: 'ApiFailure',
      hint: "Bring back the Service that answers for that webhook; see which it is: kubectl --context c1 get validatingwebhookconfigurations,mutatingwebhookconfigurations -o 'custom-columns=KIND:.kind,NAME:.metadata.name,WEBHOOKS:.webhooks[*].name,SERVICES:.webhooks[*].clientConfig.service.name'",
      details: { webhook: 'policy.example.com' },
    });
  });

  test('what a decoder quotes of a Secret does not get out', () => {
    const quoted = 'error found in #10 byte of ...|":"s3cret"|..., bigger context ...|"tls.key":"s3cret"|...';
    const message = `Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 0, ${quoted}`;
    const error = refused(400, failure(400, 'BadRequest', message));
    expect(error.message).toContain('illegal base64 data at input byte 0');
    expect(JSON.stringify([error.message, error.hint, error.details])).not.toContain('s3cret');
  });
});

test("a proxy's page is not quoted", () => {
  expect(refused(502, '<html><h1>Bad Gateway</h1></html>').message).toBe(
    'context "c1": cannot patch Secret kube-system/cilium-ca: the API server answers 502: HTTP 502',
  );
});

describe('transport', () => {
  test.each([
    ['ECONNREFUSED', 'connection refused'],
    ['ENOTFOUND', 'host name not found'],
    ['ECONNRESET', 'connection reset'],
    ['ETIMEDOUT', 'no answer'],
    ['CERT_HAS_EXPIRED', 'its certificate has expired'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'its certificate is from an unknown CA'],
  ])('%s', (code, words) => {
    expect(errorOfTransport(action, Object.assign(new Error('raw'), { code }))).toMatchObject({
      code: 'ClusterUnreachable',
      message: `context "c1": cannot reach the API server https://api.test:6443: ${words}`,
    });
  });

  test('a server that hangs up on the client certificate', () => {
    const raw = Object.assign(new Error('0:error:ssl/tls alert certificate required:x'), {
      code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
    });
    expect(errorOfTransport(action, raw)).toMatchObject({ code: 'Unauthenticated' });
  });
});

test.each(['may not be more than', 'must have at most'])(
  'a Secret of peers without room (%s) leads to what takes less, another one does not',
  (words) => {
    const message = `Secret "x" is invalid: data: Too long: ${words} 1048576 bytes`;
    const hintFor = (name: string) => refused(422, failure(422, 'Invalid', message, { name })).hint;
    expect(hintFor('cilium-kvstoremesh')).toMatch(/: meshctl explain peer-secret-room$/);
    expect(hintFor('cilium-clustermesh')).toMatch(/: meshctl explain peer-secret-room$/);
    expect(hintFor('else')).toBeUndefined();
  },
);
