import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { backendsIn } from '../../src/mesh/services/endpoint-slices.ts';

interface Slice {
  ports?: unknown;
  conditions?: Record<string, unknown> | undefined;
  weight?: string;
  addressType?: string;
}

/** A slice with one endpoint, 10.0.0.1. */
function slice({ weight, conditions, ...rest }: Slice): KubeObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'web-1', ...(weight ? { annotations: { 'service.cilium.io/weight': weight } } : {}) },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080 }],
    endpoints: [{ addresses: ['10.0.0.1'], ...(conditions ? { conditions } : {}) }],
    ...rest,
  };
}

const HTTP = { name: 'http', port: 8080 };
const METRICS = { name: 'metrics', port: 9090 };
const READY = { ready: true };
const NOT_READY = { ready: false, serving: false };
const LEAVING = { ready: false, serving: true, terminating: true };

describe('the backends in EndpointSlices', () => {
  it.each<[string, Slice['conditions'], [ready: boolean, serving: boolean, terminating: boolean]]>([
    ['nothing is said', undefined, [true, true, false]],
    ['nothing is known', { ready: null, serving: null, terminating: null }, [true, true, false]],
    ['it is ready', READY, [true, true, false]],
    // As hand-written and mirrored slices have it: serving defers to ready.
    ['it is not ready, and no more is said', { ready: false }, [false, false, false]],
    ['it ends, and no more is said', { ready: false, terminating: true }, [false, false, true]],
    ['it still serves', LEAVING, [false, true, true]],
  ])('have the conditions that Kubernetes means where %s', (_what, conditions, [ready, serving, terminating]) => {
    expect(backendsIn([slice({ conditions })])).toMatchObject([{ ready, serving, terminating }]);
  });

  it.each<[string, unknown, string[]]>([
    ['each', [HTTP, METRICS], ['http/TCP', 'metrics/TCP']],
    ['another protocol', [{ name: 'dns', port: 53, protocol: 'UDP' }], ['dns/UDP']],
    ['no name', [{ port: 80 }], ['/TCP']],
    ['no number', [{ name: 'http' }, { name: 'metrics', port: null }], []],
    ['none, as where no container has what targetPort names', [], []],
    ['none at all', null, []],
  ])('listen at the ports of their slices: %s', (_what, ports, listens) => {
    const [backend] = backendsIn([slice({ ports })]);
    expect(backend?.ports?.map(({ name, protocol }) => `${name}/${protocol}`)).toEqual(listens);
  });

  it.each<[string, Slice, Slice, ports: string[], Record<string, unknown>]>([
    ['each has some of its ports', { ports: [HTTP] }, { ports: [METRICS] }, ['http', 'metrics'], READY],
    ['both have the same', { ports: [HTTP] }, { ports: [HTTP] }, ['http'], READY],
    ['it is ready in one', { conditions: NOT_READY }, { ports: [METRICS] }, ['metrics'], READY],
    ['it ends in one', { conditions: LEAVING, ports: [METRICS] }, {}, ['http'], { ready: true, terminating: false }],
    ['it is ready in none', { conditions: NOT_READY }, { conditions: LEAVING }, ['http'], LEAVING],
    ['one is in maintenance', { weight: '0' }, { ports: [METRICS] }, ['metrics'], READY],
  ])('count once that are in two slices, whichever comes first: %s', (_what, one, other, ports, conditions) => {
    for (const order of [
      [one, other],
      [other, one],
    ]) {
      const found = backendsIn(order.map(slice));
      expect(found).toMatchObject([{ address: '10.0.0.1', ...conditions }]);
      expect(found[0]?.ports?.map(({ name }) => name).sort()).toEqual(ports);
      expect(found[0]?.maintenance).toBeUndefined();
    }
  });

  it('are addresses, and no hostnames', () => {
    expect(backendsIn([slice({ addressType: 'FQDN' })])).toEqual([]);
  });
});

it('those that Cilium writes of other clusters are left out wherever a Service is asked for its own backends', () => {
  const flows = readdirSync('src/flows', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  const listing = flows
    .map((file) => ({ file, text: readFileSync(join('src/flows', file), 'utf8') }))
    .filter(({ text }) => /kind: 'EndpointSlice'/.test(text));
  expect(listing.length).toBeGreaterThan(1);
  expect(listing.filter(({ text }) => !/labelSelector\b.*NOT_MIRRORED/.test(text)).map(({ file }) => file)).toEqual([]);
});
