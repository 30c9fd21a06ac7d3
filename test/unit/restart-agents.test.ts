import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { configureCommand, restartCommand } from '../../src/mesh/cilium/identity.ts';
import { finishAgents, isOnDelete, restartAgents, saysAtOnce } from '../../src/mesh/cilium/restart-agents.ts';
import { withRunning } from '../../src/mesh/cilium/versions/running-versions.ts';
import { parseVersion } from '../../src/mesh/cilium/versions/versions.ts';
import { agentsBehind } from '../../src/mesh/enable/agents-behind.ts';
import { addAliasesStep } from '../../src/mesh/peers/file/host-aliases.ts';
import { PACKAGE_ROOT } from '../support/schemas.ts';
import { snapshotOf } from '../support/snapshots.ts';

const withStrategy = (type: string) =>
  snapshotOf({
    live: [
      {
        apiVersion: 'apps/v1',
        kind: 'DaemonSet',
        metadata: { name: 'cilium', namespace: 'kube-system' },
        spec: { updateStrategy: { type }, template: { spec: { containers: [] } } },
      },
    ],
  });
const DELETE = /^kubectl --context \S+ -n kube-system delete pods -l k8s-app=cilium/;

describe('a restart of agents', () => {
  it('is printed by one function only, which knows how the DaemonSet replaces its pods', async () => {
    const root = new URL('src/', PACKAGE_ROOT);
    const files = await readdir(root, { recursive: true });
    const sources = files.filter((file) => file.endsWith('.ts') && !file.startsWith('sandbox'));
    expect(sources.length).toBeGreaterThan(300);
    const texts = await Promise.all(sources.map((file) => readFile(new URL(file, root), 'utf8')));
    const naming = sources.filter((_file, index) => {
      const text = texts[index] ?? '';
      return /daemonset\/(cilium|\$)/.test(text) && text.includes("'rollout'");
    });
    expect(naming).toEqual(['mesh/cilium/restart-agents.ts']);
  });

  it('is a rollout where there is one, and also where the DaemonSet was not read', () => {
    for (const place of [withStrategy('RollingUpdate'), snapshotOf({})]) {
      expect(isOnDelete(place)).toBe(false);
      expect(restartCommand(place)).toMatch(/ rollout restart daemonset\/cilium deployment\/cilium-operator$/);
      expect(finishAgents(place)).toMatch(/ rollout status daemonset\/cilium --timeout=10m$/);
      expect(saysAtOnce(place)).toBe('');
    }
  });

  it('deletes the pods of a DaemonSet that leaves that to others, and says that it is all at once', () => {
    const place = withStrategy('OnDelete');
    expect(restartAgents(place)).toMatch(new RegExp(`${DELETE.source}$`));
    expect(restartCommand(place)).toMatch(
      new RegExp(`${DELETE.source} && kubectl \\S+ \\S+ -n kube-system rollout restart deployment/cilium-operator$`),
    );
    expect(finishAgents(place)).toMatch(DELETE);
    expect(finishAgents(place)).not.toContain('rollout');
    expect(saysAtOnce(place)).toContain('all agents restart at once');
    // What cannot be followed is not said to happen by itself.
    const [step] = addAliasesStep(place, false, [{ peer: 'b', ips: ['10.0.0.1'] }]);
    expect(step?.why).toContain('OnDelete');
    expect(step?.why).not.toContain('restarts all agents');
    expect(configureCommand(place, {})).not.toContain('delete');
  });
});

describe('agents that do not run what their DaemonSet has', () => {
  const image = (tag: string) => `quay.io/cilium/cilium:v${tag}`;
  const version = (text: string) => parseVersion(text) ?? expect.fail(text);
  const held = (strategy: string, template: string, ...tags: string[]) => {
    const snapshot = withStrategy(strategy);
    const running = tags.map((tag) => ({ image: image(tag), version: tag, pods: 1 }));
    return {
      ...snapshot,
      agent: withRunning({ image: image(template), desired: 1, ready: 1 }, { running, waiting: [] }),
    };
  };

  it.each([
    [
      'RollingUpdate',
      '1.19.1',
      ['1.18.2'],
      / rollout status daemonset\/cilium --timeout=10m && meshctl clustermesh enable /,
    ],
    ['OnDelete', '1.19.1', ['1.19.1', '1.18.2'], / delete pods -l k8s-app=cilium .*&& meshctl clustermesh enable /],
    [
      'OnDelete',
      '1.18.2',
      ['1.20.0', '1.18.2'],
      / delete pods -l k8s-app=cilium && kubectl \S+ \S+ -n kube-system wait .*numberReady[^&]*$/,
    ],
  ])('are said by enable, %s to %s from %s', (strategy, template, tags, mend) => {
    const snapshot = held(strategy, template, ...tags);
    const says = agentsBehind(snapshot, version('1.18.2'));
    expect(says).toContain(`their DaemonSet has ${template}: the clustermesh-apiserver gets 1.18.2`);
    expect(says).toMatch(mend);
  });

  it('are no word where all run it', () => {
    expect(agentsBehind(held('OnDelete', '1.18.2', '1.18.2'), version('1.18.2'))).toBeUndefined();
    expect(agentsBehind(snapshotOf({}), version('1.20.0'))).toBeUndefined();
  });
});
