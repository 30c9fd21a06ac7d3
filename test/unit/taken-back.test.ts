import { describe, expect, it } from 'vitest';
import { describeCommand, kubectlCommand, meshctlCommand } from '../../src/mesh/command-line.ts';
import { apiserverDeploymentRef, apiserverServiceRef } from '../../src/mesh/objects/names.ts';
import { hintAfterRollback, type TakenBack } from '../../src/mesh/plan/taken-back.ts';

const PLACE = { context: 'a', namespace: 'kube-system' };
const SELECTOR = 'k8s-app=clustermesh-apiserver';
const [DEPLOYMENT, SERVICE] = [apiserverDeploymentRef('kube-system'), apiserverServiceRef('kube-system')];
const made: TakenBack = { context: 'a', removed: [SERVICE, DEPLOYMENT], restored: [] };
const changed: TakenBack = { context: 'a', removed: [], restored: [DEPLOYMENT] };

const PODS = describeCommand(PLACE, 'pods', { selector: SELECTOR });
const REPLICA_SETS = describeCommand(PLACE, 'replicasets', { selector: SELECTOR });
const LIST = kubectlCommand(PLACE, ['get', 'pods', '-l', SELECTOR]);
const LOG = kubectlCommand(PLACE, ['logs', 'deployment/clustermesh-apiserver', '-c', 'etcd']);
const OF_SERVICE = describeCommand(PLACE, 'service', { name: 'clustermesh-apiserver' });
const RESTART = kubectlCommand(PLACE, ['rollout', 'restart', 'deployment/clustermesh-apiserver']);
const ENABLE = meshctlCommand('clustermesh enable', { context: 'a' });

/** Each hint that a run may end with, which looks at what the run has made. */
const LOOKS = [
  PODS,
  REPLICA_SETS,
  LIST,
  LOG,
  OF_SERVICE,
  RESTART,
  `Run the same command again. See why: ${PODS}`,
  `Its log says why: ${LOG}; or restart it: ${RESTART}`,
];

describe('a hint after a rollback', () => {
  it.each(LOOKS)('does not look at what is gone: %s', (hint) => {
    const now = hintAfterRollback(hint, [made], true);
    expect(now).not.toContain('kubectl');
    expect(now).toMatch(/What this run made there is taken back: with --no-rollback the same command leaves it/);
    expect(hintAfterRollback(hint, [made], false)).not.toContain('--no-rollback');
  });

  it('does not take settings back that are as before', () => {
    const unset = meshctlCommand('clustermesh enable', { context: 'a' }, ['--unset', 'Deployment:spec.template']);
    for (const taken of [made, changed])
      expect(hintAfterRollback(`Undo what was --set on its pods, if that is why: ${unset}`, [taken], true)).toMatch(
        /^Change what was --set on its pods, if that is why\. What this run made/,
      );
  });

  it('keeps whole sentences before', () => {
    const hint = `Make room on the nodes. See why: ${PODS}`;
    expect(hintAfterRollback(hint, [made], true)).toMatch(/^Make room on the nodes\. What this run made/);
  });

  it.each([
    ['pods of the former template are no evidence', PODS, changed, false],
    ['a Deployment that was there before is', LOG, changed, true],
    ['what is in another cluster is', PODS, { ...made, context: 'b' }, true],
    ['what makes it anew does so', `Make it again: ${ENABLE}`, made, true],
  ])('%s', (_what, hint, taken, stays) => {
    expect(hintAfterRollback(hint, [taken], true) === hint).toBe(stays);
  });
});
