import { describe, expect, test } from 'vitest';
import { type ClusterServices, joinServices } from '../../src/mesh/services.ts';
import { usesNowText } from '../../src/views/service-list-view.ts';

/** One cluster was named, whose agents use another one's backends too: what they use must not look complete. */
function oneCluster(affinity: string, localReady: boolean, annotations: Record<string, string> = {}): ClusterServices {
  const facts = {
    namespace: 'shop',
    name: 'cart',
    type: 'ClusterIP',
    annotations: { 'service.cilium.io/global': 'true', 'service.cilium.io/affinity': affinity, ...annotations },
    headless: false,
    ports: [],
    selector: {},
    backends: localReady ? [{ address: '10.1.0.1', ready: true, serving: true, terminating: false }] : [],
  };
  return {
    context: 'one',
    cluster: 'mesh-1',
    globalByDefault: true,
    peers: ['mesh-2'],
    namespaces: new Map([['shop', {}]]),
    services: new Map([['shop/cart', facts]]),
  };
}

describe('what a cluster uses, of whose peers no context was given', () => {
  test.each<[string, ClusterServices, string]>([
    ['no affinity', oneCluster('none', true), 'mesh-1 (1), mesh-2 (not read)'],
    ['affinity local, with backends', oneCluster('local', true), 'mesh-1 (1)'],
    ['affinity local, without', oneCluster('local', false), 'mesh-2 (not read)'],
    ['affinity remote', oneCluster('remote', true), 'mesh-2 (not read), else mesh-1 (1)'],
    ['not global', oneCluster('none', true, { 'service.cilium.io/global': 'false' }), 'mesh-1 (1)'],
  ])('%s', (_what, cluster, text) => {
    const definition = joinServices([cluster])[0]?.clusters[0]?.definition;
    expect(definition && usesNowText(definition)).toBe(text);
  });
});
