import { describe, expect, it } from 'vitest';
import { type RunFlags, runFlagsAdder, runFlagsOf } from '../../src/cli/run-flags.ts';
import type { CommandContext } from '../../src/commands/command.ts';
import { parseContext, parseContexts } from '../../src/commands/options/option-values.ts';
import { COMMANDS } from '../../src/commands/registry.ts';
import { kubeconfigOf } from '../../src/commands/targets/cluster-flags.ts';
import { parseCiliumNamespaces } from '../../src/mesh/cilium/namespaces.ts';
import { connectCommand, contextList, kubectlCommand, meshctlCommand, shellWord } from '../../src/mesh/command-line.ts';

const FLAGS = { kubeconfig: '/tmp/my configs/a', ciliumNamespace: 'cilium', as: 'jane', asGroup: ['ops'] };
const addRunFlags = runFlagsAdder(FLAGS, COMMANDS);

const flagsOf = (options: Record<string, unknown>, path = 'clustermesh connect') => {
  const spec = COMMANDS.find((command) => command.path.join(' ') === path);
  if (!spec) throw new Error(`there is no ${path}`);
  return runFlagsOf(options, spec);
};
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

describe('a context whose name has a comma', () => {
  const names = ['team,mesh-1', 'a'];

  it('is one in what is printed and typed', () => {
    for (const list of [names, ['team,mesh-1'], ['a', 'b']]) expect(parseContexts(contextList(list))).toEqual(list);
    expect(meshctlCommand('clustermesh status', { context: names })).toBe(
      String.raw`meshctl clustermesh status --context 'team\,mesh-1,a'`,
    );
    expect(connectCommand('a', 'team,mesh-1')).toContain(String.raw`--destination-context 'team\,mesh-1'`);
    expect(parseContext(contextList(['team,mesh-1']))).toBe('team,mesh-1');
    expect(kubectlCommand({ context: 'team,mesh-1' }, ['get', 'nodes'])).toContain('--context team,mesh-1 ');
    expect([...parseCiliumNamespaces(String.raw`team\,mesh-1=cilium,a=kube-system`).of.keys()]).toEqual(names);
  });

  it('stays one where a line gets the flags of a run', () => {
    const elsewhere = new Map([['team,mesh-1', '/tmp/b']]);
    const add = runFlagsAdder({ kubeconfig: '/tmp/a', elsewhere }, COMMANDS);
    expect(add(meshctlCommand('clustermesh status', { context: 'team,mesh-1' }))).toContain('--kubeconfig /tmp/b ');
    expect(add(kubectlCommand({ context: 'team,mesh-1' }, ['get', 'nodes']))).toContain('--kubeconfig /tmp/b ');
    const here = runFlagsAdder({ unnamedContext: 'team,mesh-1' }, COMMANDS);
    expect(here(meshctlCommand('clustermesh status', { context: 'team,mesh-1' }))).toBe('meshctl clustermesh status');
    const holds = (name: string) => name === 'team,mesh-1';
    const apart = runFlagsAdder({ destination: { kubeconfig: '/tmp/b', holds } }, COMMANDS);
    const both = apart(meshctlCommand('clustermesh check', { context: names }));
    expect(both).toContain(String.raw`--kubeconfig /tmp/b --context 'team\,mesh-1'`);
    expect(both).toContain('check --context a');
  });
});

describe('commands that a run tells the operator to type', () => {
  it('skip the checks that the run itself skipped, where they can', () => {
    const add = runFlagsAdder(flagsOf({ skipChecks: ['a', 'b'] }, 'diff'), COMMANDS);
    const skipping = '--skip-checks a,b';
    expect(add('Apply it: meshctl apply -f mesh.yaml')).toBe(`Apply it: meshctl apply ${skipping} -f mesh.yaml`);
    expect(add(connectCommand('a', 'b'))).toContain(`connect ${skipping} --context a`);
    const own = 'meshctl diff -f mesh.yaml --skip-checks a';
    expect(add(own)).toBe(own);
    const others = 'meshctl clustermesh status --context a; kubectl --context a get pods';
    expect(add(others)).toBe(others);
    expect(add(add('meshctl apply -f mesh.yaml'))).toBe(`meshctl apply ${skipping} -f mesh.yaml`);
  });

  it('reach the clusters as the run itself did', () => {
    expect(addRunFlags('run: meshctl clustermesh connect --context a --destination-context b')).toBe(
      `run: meshctl clustermesh connect ${ACCESS} -n cilium --context a --destination-context b`,
    );
    expect(addRunFlags('kubectl --context a -n cilium get pods')).toBe(
      `kubectl ${ACCESS} --context a -n cilium get pods`,
    );
  });

  it('get them one by one, several in a line', () => {
    const text = 'meshctl clustermesh enable --context a && meshctl clustermesh connect --context a';
    expect(addRunFlags(text)).toBe(
      `meshctl clustermesh enable ${ACCESS} -n cilium --context a && meshctl clustermesh connect ${ACCESS} -n cilium --context a`,
    );
  });

  it.each<[string, RunFlags]>([
    ['all', FLAGS],
    ['an identity alone', { as: 'jane', asGroup: ['ops', 'dev'] }],
    ['a group alone', { asGroup: ['ops'] }],
    ['a second kubeconfig', { as: 'jane', destination: { kubeconfig: 'b.yaml', holds: (name) => name === 'b' } }],
    ['kubeconfigs of a mesh file', { as: 'jane', elsewhere: new Map([['b', '/b.yaml']]) }],
  ])('get them once, however often they come by: %s', (_what, flags) => {
    const add = runFlagsAdder(flags, COMMANDS);
    for (const text of [
      'meshctl clustermesh connect --context a --destination-context b',
      'meshctl clustermesh status --context a,b && kubectl --context b -n cilium get pods',
      'meshctl connectivity test --context a,b',
      'kubectl --context a apply -f templates/rbac',
    ]) {
      const once = add(text);
      expect(add(once)).toBe(once);
    }
  });

  it('leave out the context that only meshctl has a name for, in a pod', () => {
    const flags: RunFlags = {};
    const inPod = runFlagsAdder(flags, COMMANDS);
    const text =
      'enable it: meshctl clustermesh enable --context in-cluster --replicas 2 && kubectl --context in-cluster -n cilium get pods';
    expect(inPod(text)).toBe(text);
    flags.unnamedContext = 'in-cluster';
    expect(inPod(text)).toBe('enable it: meshctl clustermesh enable --replicas 2 && kubectl -n cilium get pods');
    expect(inPod('meshctl clustermesh connect --context b --destination-context in-cluster')).toContain('--context b');
  });

  it('reach contexts by their own kubeconfigs, several of them by all at once', () => {
    const elsewhere = new Map([
      ['b', '/x/b.yaml'],
      ['c', '/x/c.yaml'],
    ]);
    const adder = runFlagsAdder({ elsewhere }, COMMANDS);
    expect(adder('meshctl clustermesh enable --context a')).toBe('meshctl clustermesh enable --context a');
    expect(adder('kubectl --context b get nodes')).toBe('kubectl --kubeconfig /x/b.yaml --context b get nodes');
    expect(adder('meshctl clustermesh status --context b,c')).toBe(
      'KUBECONFIG=/x/b.yaml:/x/c.yaml meshctl clustermesh status --context b,c',
    );
    expect(adder('meshctl clustermesh connect --context a --destination-context b')).toBe(
      `KUBECONFIG="\${KUBECONFIG:-$HOME/.kube/config}":/x/b.yaml meshctl clustermesh connect --context a --destination-context b`,
    );
    const own = runFlagsAdder({ elsewhere, kubeconfig: 'own' }, COMMANDS);
    expect(own('meshctl clustermesh status --context a,b')).toBe(
      'KUBECONFIG=own:/x/b.yaml meshctl clustermesh status --context a,b',
    );
    expect(own('meshctl apply -f mesh.yaml')).toBe('meshctl apply --kubeconfig own -f mesh.yaml');
  });

  it('are told of that context by the kubeconfig itself', async () => {
    const own = {
      files: [],
      currentContext: 'in-cluster',
      contexts: [],
      clusters: [],
      users: [],
      unnamed: true as const,
    };
    const unnamed: string[] = [];
    const context = {
      kubeconfigs: new Map([[undefined, Promise.resolve(own)]]),
      leaveUnnamed: (name: string) => unnamed.push(name),
    } as unknown as CommandContext;
    await kubeconfigOf(context, { requestTimeout: 1000 });
    expect(unnamed).toEqual(['in-cluster']);
  });

  it('keep what they say themselves', () => {
    const own = 'meshctl clustermesh status --kubeconfig other --context a';
    expect(addRunFlags(own)).toBe(own);
    expect(addRunFlags('meshctl clustermesh enable -n other')).toBe(`meshctl clustermesh enable ${ACCESS} -n other`);
  });

  it('know Cilium’s namespace by its own flag in the service commands', () => {
    expect(addRunFlags('meshctl service list --context a')).toBe(
      `meshctl service list ${ACCESS} --cilium-namespace cilium --context a`,
    );
  });

  it.each([
    ['clustermesh status', { namespace: 'cilium' }, 'cilium'],
    ['service list', { namespace: 'shop' }, undefined],
    ['service list', { namespace: 'shop', ciliumNamespace: 'mesh-2=cilium' }, 'mesh-2=cilium'],
    ['connectivity test', { namespace: 'meshctl-test' }, undefined],
    ['clustermesh inspect-policy-default-local-cluster', { namespace: 'shop' }, undefined],
  ])('of %s do not take another namespace for Cilium’s', (path, options, namespace) => {
    expect(flagsOf(options, path).ciliumNamespace).toBe(namespace);
    const given = runFlagsAdder({ ciliumNamespace: 'cilium' }, COMMANDS);
    const flag = { 'clustermesh status': ' -n cilium', 'service list': ' --cilium-namespace cilium' }[path];
    if (flag) expect(given(`meshctl ${path} --context a`)).toBe(`meshctl ${path}${flag} --context a`);
  });

  it('are left alone where nothing was given', () => {
    const text = 'meshctl clustermesh status --context a; kubectl get pods';
    expect(runFlagsAdder(flagsOf({}), COMMANDS)(text)).toBe(text);
  });

  it('are not looked for in words about them', () => {
    expect(addRunFlags('Log in again, e.g. with kubectl and the same context')).toBe(
      'Log in again, e.g. with kubectl and the same context',
    );
    expect(addRunFlags('meshctl sandbox up')).toBe('meshctl sandbox up');
  });

  describe('with clusters of two kubeconfigs', () => {
    const both = runFlagsAdder(
      flagsOf({
        kubeconfig: 'here',
        context: 'a',
        destinationKubeconfig: 'their configs',
        destinationContext: ['b', 'prod-*'],
      }),
      COMMANDS,
    );
    it.each([
      [
        'of the source',
        'meshctl clustermesh status --context a',
        'meshctl clustermesh status --kubeconfig here --context a',
      ],
      [
        'of a destination',
        "kubectl --context 'prod-1 (eu)' -n cilium get pods",
        "kubectl --kubeconfig 'their configs' --context 'prod-1 (eu)' -n cilium get pods",
      ],
      [
        'of both, as a pair',
        'meshctl clustermesh connect --context a --destination-context b',
        "meshctl clustermesh connect --kubeconfig here --destination-kubeconfig 'their configs' --context a --destination-context b",
      ],
      [
        'of both, as a pair the other way round',
        'meshctl clustermesh connect --context prod-2 --destination-context a',
        "meshctl clustermesh connect --kubeconfig here --destination-kubeconfig 'their configs' --context a --destination-context prod-2",
      ],
      [
        'of both, as a list',
        'run: meshctl clustermesh enable --context a,b --force-conflicts',
        "run: meshctl clustermesh enable --kubeconfig here --context a --force-conflicts && meshctl clustermesh enable --kubeconfig 'their configs' --context b --force-conflicts",
      ],
      [
        'of both, where one alone says nothing',
        'meshctl connectivity probe --context a,b -o wide',
        "KUBECONFIG='here:their configs' meshctl connectivity probe --context a,b -o wide",
      ],
      [
        'of two destinations',
        'meshctl clustermesh connect --context b --destination-context prod-1',
        "meshctl clustermesh connect --kubeconfig 'their configs' --context b --destination-context prod-1",
      ],
      [
        'one after the other',
        'meshctl clustermesh enable --context b && meshctl clustermesh connect --context a --destination-context b',
        "meshctl clustermesh enable --kubeconfig 'their configs' --context b && meshctl clustermesh connect --kubeconfig here --destination-kubeconfig 'their configs' --context a --destination-context b",
      ],
    ])('name that %s', (_what, line, typed) => {
      expect(both(line)).toBe(typed);
    });

    it('take the usual kubeconfig along where none was given', () => {
      const flags = flagsOf({ context: 'a', destinationKubeconfig: 'there', destinationContext: ['b'] });
      expect(runFlagsAdder(flags, COMMANDS)('meshctl clustermesh firewall --context a,b')).toBe(
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's.
        'KUBECONFIG="${KUBECONFIG:-$HOME/.kube/config}":there meshctl clustermesh firewall --context a,b',
      );
    });

    it('take all contexts but the source with --all', () => {
      const all = runFlagsAdder(flagsOf({ context: 'a', destinationKubeconfig: 'there', all: true }), COMMANDS);
      expect(all('meshctl clustermesh status --context x')).toBe(
        'meshctl clustermesh status --kubeconfig there --context x',
      );
      expect(all('meshctl clustermesh status --context a')).toBe('meshctl clustermesh status --context a');
    });
  });
});
