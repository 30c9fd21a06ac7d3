import { describe, expect, it } from 'vitest';
import { reissueAdvice } from '../../src/mesh/certificates/reissue.ts';
import type { ObjectMeta } from '../../src/mesh/objects/kube-object.ts';
import { snapshotOf, tlsFacts } from '../support/snapshots.ts';

const SECRET = 'clustermesh-apiserver-server-cert';
const REMOTE = 'clustermesh-apiserver-remote-cert';
const ENABLE = 'meshctl clustermesh enable --context one';
const CERTGEN = 'clustermesh-apiserver-generate-certs';

const writtenBy = (manager: string): Partial<ObjectMeta> => ({
  managedFields: [{ manager, operation: 'Update', fieldsV1: { 'f:data': { 'f:tls.crt': {} } } }],
});
const agents = (version: string) => ({ image: `quay.io/cilium/cilium:${version}`, desired: 1, ready: 1 });
const of = (
  made: Partial<ObjectMeta>,
  { names = [] as string[], broken = false, more = [] as string[], version = 'v1.20.0' } = {},
) =>
  reissueAdvice(
    snapshotOf({
      agent: agents(version),
      live: [{ apiVersion: 'v1', kind: 'Secret', metadata: { name: SECRET, namespace: 'kube-system', ...made } }],
      tlsSecrets: broken ? new Map() : new Map([[SECRET, tlsFacts('ca-one', {})]]),
    }),
    [SECRET, ...more],
    names,
  );

const release = { annotations: { 'meta.helm.sh/release-name': 'cilium' }, ...writtenBy('helm') };
const certificate = { annotations: { 'cert-manager.io/certificate-name': 'server' }, ...writtenBy('cert-manager') };

describe('a certificate is issued anew by whoever made it', () => {
  it.each<[string, Partial<ObjectMeta>, string]>([
    ['meshctl', writtenBy('meshctl'), `reissue it: ${ENABLE}`],
    ['nobody known', {}, `reissue it: ${ENABLE}`],
    ['a Helm release, in which meshctl filled it', { ...release, ...writtenBy('meshctl') }, `reissue it: ${ENABLE}`],
    [
      'cert-manager',
      certificate,
      `cert-manager Certificate server made it; cert-manager reissues it once its Secret is gone, and connections stay up: kubectl --context one -n kube-system delete secret ${SECRET}`,
    ],
    [
      'the CronJob of the chart',
      writtenBy('cilium-certgen'),
      `cilium-certgen made it: have it make a new one: kubectl --context one -n kube-system create job ${CERTGEN}-now --from=cronjob/${CERTGEN}`,
    ],
    [
      'an operator',
      writtenBy('kubectl-create'),
      `someone put it there (kubectl-create); take it over: ${ENABLE} --force-conflicts`,
    ],
    [
      "an operator, over meshctl's own",
      {
        managedFields: [
          { manager: 'meshctl', operation: 'Apply', fieldsV1: { 'f:data': { 'f:ca.crt': {} } } },
          ...(writtenBy('kubectl-patch').managedFields ?? []),
        ],
      },
      `someone put it there (kubectl-patch); take it over: ${ENABLE} --force-conflicts`,
    ],
    [
      'Argo CD',
      { annotations: { 'argocd.argoproj.io/tracking-id': 'a' } },
      'Argo CD made it: have it reissued there (in the values of a chart, clustermesh.apiserver.tls)',
    ],
    [
      'Flux, which has Helm install it',
      { ...release, labels: { 'helm.toolkit.fluxcd.io/name': 'cilium' } },
      'Flux HelmRelease cilium made it: have it reissued there (in the values of a chart, clustermesh.apiserver.tls)',
    ],
    [
      'Flux, whose HelmRelease is known',
      {
        ...release,
        labels: { 'helm.toolkit.fluxcd.io/name': 'cilium', 'helm.toolkit.fluxcd.io/namespace': 'flux-system' },
      },
      'Flux HelmRelease flux-system/cilium made it: an upgrade reissues it, as by `flux reconcile helmrelease cilium -n flux-system --force` (where its values bring it, clustermesh.apiserver.tls, put a new one there first)',
    ],
    ['another program', writtenBy('vault-sync'), 'vault-sync made it: have it reissued there'],
  ])('%s', (_who, made, advice) => {
    expect(of(made)).toBe(advice);
  });

  it('an upgrade makes it anew, unless the values bring it, as they could before 1.20', () => {
    expect(of(release, { version: 'v1.19.4' })).toMatch(
      /^Helm release cilium made it: .+tls\.server\.cert.+: .+enable --context one --via-helm$/,
    );
    expect(of(release)).toBe(`Helm release cilium made it: an upgrade reissues it: ${ENABLE} --via-helm`);
  });

  it.each([
    ['v1.20.0', 'clustermesh.apiserver.tls.auto.server in'],
    ['v1.19.4', 'clustermesh.apiserver.tls.server in'],
    ['latest', 'clustermesh.apiserver.tls.auto.server (before Cilium 1.20: clustermesh.apiserver.tls.server) in'],
  ])('of %s, the value that has its names', (version, value) => {
    expect(of(writtenBy('cilium-certgen'), { version, names: ['10.0.0.9'] })).toContain(`(${value} the values)`);
  });

  it('as the chart takes each of them', () => {
    const upgraded = (name: string) =>
      reissueAdvice(
        snapshotOf({
          agent: agents('v1.19.4'),
          live: [{ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'kube-system', ...release } }],
        }),
        [name],
      );
    expect(upgraded(REMOTE)).toContain('(clustermesh.apiserver.tls.remote.cert)');
    expect(upgraded('clustermesh-apiserver-local-cert')).toMatch(
      /^Helm release cilium made it: an upgrade reissues it: /,
    );
  });

  it('with the names that it lacks', () => {
    expect(of(certificate, { names: ['10.0.0.9'] })).toBe(
      'cert-manager Certificate server made it: have it reissued there, with 10.0.0.9 among its names',
    );
    expect(of(release, { names: ['10.0.0.9'], version: 'v1.19.4' })).toContain(
      'put a new one there, with 10.0.0.9 among its names; else',
    );
  });

  it('also others along with it', () => {
    expect(of(certificate, { more: [REMOTE] })).toMatch(new RegExp(`delete secret ${SECRET} ${REMOTE}$`));
  });

  it('where there is nothing in it to be taken over', () => {
    expect(of(writtenBy('kubectl-create'), { broken: true })).toMatch(/enable --context one$/);
  });
});
