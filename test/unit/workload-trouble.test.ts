import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import {
  eventSentences,
  hopelessness,
  unreadiness,
  workloadTroubles,
} from '../../src/mesh/objects/workload-trouble.ts';

const pod = (status: Record<string, unknown>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p' },
  status,
});
const waiting = (reason: string, message?: string) => ({
  name: 'etcd',
  image: 'r.example/x:1',
  state: { waiting: { reason, message } },
});

describe('workloadTroubles', () => {
  it.each<[string, Record<string, unknown>, string, RegExp | undefined]>([
    [
      'an image',
      { initContainerStatuses: [waiting('ErrImagePull', 'not found')] },
      'pod p: container etcd: image r.example/x:1 cannot be pulled (ErrImagePull: not found)',
      /--pull-secret/,
    ],
    [
      'a crash',
      {
        containerStatuses: [
          { ...waiting('CrashLoopBackOff'), lastState: { terminated: { reason: 'Error', exitCode: 1 } } },
        ],
      },
      'pod p: container etcd: CrashLoopBackOff, last ended with Error 1',
      undefined,
    ],
    [
      'no room',
      {
        conditions: [
          { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes are available' },
        ],
      },
      'pod p: Unschedulable: 0/3 nodes are available',
      /--resources/,
    ],
    [
      'a volume',
      { containerStatuses: [waiting('ContainerCreating', 'secret "x" not found')] },
      'pod p: container etcd: ContainerCreating: secret "x" not found',
      undefined,
    ],
  ])('tells of %s', (_what, status, says, hint) => {
    const [trouble] = workloadTroubles(undefined, [pod(status)]);
    expect(trouble?.says).toBe(says);
    if (hint) expect(trouble?.hint).toMatch(hint);
    else expect(trouble?.hint).toBeUndefined();
  });

  it('tells why there are no pods', () => {
    const deployment = {
      ...pod({ conditions: [{ type: 'ReplicaFailure', status: 'True', message: 'exceeded quota: q' }] }),
      kind: 'Deployment',
    };
    expect(workloadTroubles(deployment, [])).toEqual([
      { says: 'exceeded quota: q', hint: expect.stringContaining('quota') },
    ]);
  });

  it('finds nothing in pods that start or run', () => {
    const fine = [
      pod({ containerStatuses: [waiting('ContainerCreating')] }),
      pod({ containerStatuses: [{ name: 'a', ready: true }] }),
    ];
    expect(workloadTroubles(undefined, fine)).toEqual([]);
  });
});

describe('unreadiness', () => {
  it('tells what can be said of pods that are merely not ready', () => {
    const running = pod({
      containerStatuses: [
        { name: 'etcd', ready: true },
        { name: 'apiserver', ready: false },
      ],
    });
    expect(unreadiness(running)).toEqual(['pod p: not ready: apiserver']);
    const bound = { ...pod({ phase: 'Pending' }), spec: { nodeName: 'n1' } };
    expect(unreadiness(bound)).toEqual(['pod p: the kubelet of node n1 has not started it']);
  });
});

describe('eventSentences', () => {
  const event = (type: string, reason: string, lastTimestamp: string) => ({
    ...pod({}),
    type,
    reason,
    message: 'm ',
    lastTimestamp,
  });

  it('gives warnings first, then the newest, and not too many', () => {
    const events = [
      event('Normal', 'Old', '2026-01-01T00:00:00Z'),
      event('Normal', 'New', '2026-01-03T00:00:00Z'),
      event('Warning', 'Bad', '2026-01-02T00:00:00Z'),
      event('Normal', 'Middle', '2026-01-02T00:00:00Z'),
    ];
    expect(eventSentences(events)).toEqual(['Bad: m', 'New: m', 'Middle: m']);
  });
});

describe('hopelessness', () => {
  const pod = (hash: string, creationTimestamp: string, reason?: string, message?: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: hash, labels: { 'pod-template-hash': hash }, creationTimestamp },
    spec: { containers: [{ name: 'etcd', image: 'x' }] },
    status: { containerStatuses: [{ name: 'etcd', state: reason ? { waiting: { reason, message } } : {} }] },
  });
  const deployment = (spec: object): KubeObject => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd' },
    spec: { template: { spec } },
  });
  const SAME = deployment({ containers: [{ name: 'etcd', image: 'x' }] });
  const one = (reason: string, message?: string) => [pod('b', '2026-01-02', reason, message)];
  const NOT_FOUND =
    'rpc error: code = NotFound desc = failed to pull and unpack image "x": failed to resolve: x: not found';
  const backOff = (cause: string) => `Back-off pulling image "x": ErrImagePull: ${cause}`;

  it.each<[string, KubeObject[], ReturnType<typeof hopelessness>]>([
    ['no pods', [], undefined],
    [
      'an old pod crashes, the new one does not',
      [pod('a', '2026-01-01', 'CrashLoopBackOff'), pod('b', '2026-01-02')],
      undefined,
    ],
    ['the new pod crashes', [pod('a', '2026-01-01'), ...one('CrashLoopBackOff')], 'if-it-lasts'],
    ['the new pod is being made', one('ContainerCreating'), undefined],
    ['its image is not there', one('ErrImagePull', NOT_FOUND), 'now'],
    ['its image was not there', one('ImagePullBackOff', backOff(NOT_FOUND)), 'now'],
    ['its registry wants credentials', one('ErrImagePull', 'pull access denied, repository does not exist'), 'now'],
    ['no reference', one('InvalidImageName', 'couldn\'t parse image name "A"'), 'now'],
    ['never to be pulled, and not there', one('ErrImageNeverPull'), 'now'],
    [
      'a back-off of an older kubelet, without a cause',
      one('ImagePullBackOff', 'Back-off pulling image "x"'),
      'if-it-lasts',
    ],
    ['a registry that does not answer', one('ErrImagePull', 'dial tcp 192.0.2.1:443: i/o timeout'), undefined],
    ['a registry that did not answer', one('ImagePullBackOff', backOff('429 Too Many Requests')), undefined],
  ])('%s', (_words, pods, hopeless) => {
    expect(hopelessness(pods, SAME)).toBe(hopeless);
  });

  it.each([
    ['another image was given meanwhile', deployment({ containers: [{ name: 'etcd', image: 'y' }] })],
    [
      'credentials were given meanwhile',
      deployment({ containers: [{ name: 'etcd', image: 'x' }], imagePullSecrets: [{ name: 'mirror' }] }),
    ],
    ['the Deployment is not known yet', undefined],
  ])('%s: the pod without its image is about to be replaced', (_words, now) => {
    expect(hopelessness(one('ImagePullBackOff', backOff(NOT_FOUND)), now)).toBe('if-it-lasts');
  });
});
