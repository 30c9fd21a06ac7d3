import { describe, expect, it } from 'vitest';
import { completionFor, runFlagsOf } from '../../src/cli/complete-commands.ts';
import { COMMANDS } from '../../src/commands/registry.ts';
import { kubectlCommand, meshctlCommand, shellWord } from '../../src/mesh/command-line.ts';

const FLAGS = { kubeconfig: '/tmp/my configs/a', ciliumNamespace: 'cilium', as: 'jane', asGroup: ['ops'] };
const complete = completionFor(FLAGS, COMMANDS);
const ACCESS = "--kubeconfig '/tmp/my configs/a' --as jane --as-group ops";

describe('command lines', () => {
  it.each([
    ['prod', 'prod'],
    ['admin@prod b (old)', "'admin@prod b (old)'"],
    ["it's", "'it'\\''s'"],
    ['', "''"],
    ['$(reboot)', "'$(reboot)'"],
    ['a;b', "'a;b'"],
    ['gke_project_zone_name', 'gke_project_zone_name'],
    ['arn:aws:eks:eu-west-1:1:cluster/a', 'arn:aws:eks:eu-west-1:1:cluster/a'],
    ['<context of mesh-2>', "'<context of mesh-2>'"],
  ])('quote %s for a shell', (text, word) => {
    expect(shellWord(text)).toBe(word);
  });

  it('name contexts and namespaces', () => {
    expect(meshctlCommand('clustermesh enable', { context: ['a', 'b c'] }, ['--replicas', '2'])).toBe(
      "meshctl clustermesh enable --context 'a,b c' --replicas 2",
    );
    expect(kubectlCommand({ context: 'a', namespace: 'cilium' }, ['get', 'pods'])).toBe(
      'kubectl --context a -n cilium get pods',
    );
  });
});

describe('commands that a run tells the operator to type', () => {
  it('reach the clusters as the run itself did', () => {
    expect(complete('run: meshctl clustermesh connect --context a --destination-context b')).toBe(
      `run: meshctl clustermesh connect ${ACCESS} -n cilium --context a --destination-context b`,
    );
    expect(complete('kubectl --context a -n cilium get pods')).toBe(`kubectl ${ACCESS} --context a -n cilium get pods`);
  });

  it('are completed one by one, several in a line', () => {
    const text = 'meshctl clustermesh enable --context a && meshctl clustermesh connect --context a';
    expect(complete(text)).toBe(
      `meshctl clustermesh enable ${ACCESS} -n cilium --context a && meshctl clustermesh connect ${ACCESS} -n cilium --context a`,
    );
  });

  it('keep what they say themselves', () => {
    const own = 'meshctl clustermesh status --kubeconfig other --context a';
    expect(complete(own)).toBe(own);
    expect(complete('meshctl clustermesh enable -n other')).toBe(`meshctl clustermesh enable ${ACCESS} -n other`);
  });

  it('know Cilium’s namespace by its own flag in the service commands', () => {
    expect(complete('meshctl service list --context a')).toBe(
      `meshctl service list ${ACCESS} --cilium-namespace cilium --context a`,
    );
  });

  it('are left alone where nothing was given', () => {
    const text = 'meshctl clustermesh status --context a; kubectl get pods';
    expect(completionFor(runFlagsOf({ namespace: 'kube-system' }), COMMANDS)(text)).toBe(text);
  });

  it('are not looked for in words about them', () => {
    expect(complete('log in again, e.g. with kubectl and the same context')).toBe(
      'log in again, e.g. with kubectl and the same context',
    );
    expect(complete('meshctl demo')).toBe('meshctl demo');
  });
});
