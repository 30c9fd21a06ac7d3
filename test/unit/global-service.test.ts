import { expect, it } from 'vitest';
import { type GlobalIntent, planGlobalService, serviceRef } from '../../src/mesh/services/global-service.ts';

it('an annotation under its former name goes over with the value that it has when it is written', () => {
  const service = (annotations: Record<string, string>) => ({
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { namespace: 'shop', name: 'web', annotations } },
    spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
  });
  const live = service({ 'io.cilium/global-service': 'true', 'io.cilium/shared-service': 'true' });
  const sites = [{ context: 'one', live, namespaceExists: true }];
  const [step] = planGlobalService(serviceRef('shop', 'web'), sites, { createMissing: false }).steps;
  if (step?.write?.method !== 'edit') throw new Error('no edit');
  const meanwhile = service({ 'io.cilium/global-service': 'true', 'io.cilium/shared-service': 'false' });
  expect(step.write.edit(meanwhile)).toEqual({
    patch: {
      metadata: {
        annotations: {
          'io.cilium/global-service': null,
          'io.cilium/shared-service': null,
          'service.cilium.io/global': 'true',
          'service.cilium.io/shared': 'false',
        },
      },
    },
  });
  expect(step.write.edit(service({ 'service.cilium.io/global': 'true' }))).toBeUndefined();
});

it('one that has no backends is not made global, and can be taken out', () => {
  const metadata = { namespace: 'shop', name: 'ext', annotations: { 'service.cilium.io/global': 'true' } };
  const spec = { type: 'ExternalName', externalName: 'a.example' };
  const live = { apiVersion: 'v1', kind: 'Service', metadata, spec };
  const plan = (intent: GlobalIntent) =>
    planGlobalService(serviceRef('shop', 'ext'), [{ context: 'one', live, namespaceExists: true }], intent);
  expect(() => plan({ createMissing: false })).toThrow('is of type ExternalName');
  expect(plan('not-global').steps.map(({ action }) => action)).toEqual(['update']);
});

it.each([
  ['copied to', false],
  ['changed in', true],
])('is not %s a cluster whose namespace is being deleted', (_what, isThere) => {
  const metadata = { name: 'web', namespace: 'shop' };
  const live = { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ port: 80 }] } };
  const deletionTimestamp = '2026-01-01T00:00:00Z';
  const goingNamespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', deletionTimestamp } };
  const sites = [
    { context: 'one', live, namespaceExists: true },
    { context: 'two', live: isThere ? live : undefined, namespaceExists: true, goingNamespace },
  ];
  expect(() => planGlobalService(serviceRef('shop', 'web'), sites, { createMissing: true })).toThrow(
    expect.objectContaining({
      code: 'Conflict',
      message: 'context "two": Namespace shop is being deleted',
      hint: 'Run the same command again once it is gone: kubectl --context two wait --for=delete namespace/shop --timeout=5m',
    }),
  );
});
