import { describe, expect, it } from 'vitest';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { newlyShared, sharedWithStranger } from '../../src/mesh/services/newly-shared.ts';
import { serviceFacts } from '../../src/mesh/services/services.ts';
import { secretObject, snapshotOf } from '../support/snapshots.ts';

/** What a dial that there has not been until now does to global Services; the same table for what both owners know, and one. */

const GLOBAL = { 'service.cilium.io/global': 'true' };
const PRIVATE = { ...GLOBAL, 'service.cilium.io/shared': 'false' };
type Services = Record<string, Record<string, string>>;

interface Of {
  services?: Services;
  dials?: readonly string[];
  letsIn?: readonly string[];
  namespace?: Record<string, string>;
  /** Cilium's operator mirrors EndpointSlices. */
  mirrors?: boolean;
}

function cluster(
  number: number,
  { services = {}, dials = [], letsIn = [], namespace = {}, mirrors }: Of,
): ClusterSnapshot {
  const files = Object.fromEntries(dials.map((peer) => [peer, 'endpoints:\n- https://192.0.2.1:2379\n']));
  const facts = Object.entries(services).map(([name, annotations]) => {
    const metadata = { namespace: 'shop', name, annotations };
    const clusterIP = annotations.headless === undefined ? {} : { clusterIP: 'None' };
    const type = annotations.external === undefined ? {} : { type: 'ExternalName' };
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { ports: [{ port: 80 }], ...clusterIP, ...type },
    };
    return [`shop/${name}`, serviceFacts(service)] as const;
  });
  return snapshotOf({
    context: `context-${number}`,
    ciliumConfig: {
      ...{ 'cluster-name': `mesh-${number}`, 'cluster-id': String(number) },
      ...(mirrors ? { 'clustermesh-enable-endpoint-sync': 'true' } : {}),
    },
    live: [secretObject('cilium-clustermesh', files)],
    remoteUsers: letsIn.map((peer) => ({ name: `remote-${peer}`, role: 'remote' })),
    globalServices: { services: new Map(facts), namespaces: new Map([['shop', namespace]]) },
  });
}

/** Cilium balances nothing for them. */
const HEADLESS = { ...GLOBAL, headless: 'yes' };
/** It has no backends. */
const EXTERNAL = { ...GLOBAL, external: 'yes' };

const many = (amount: number): Services =>
  Object.fromEntries(Array.from({ length: amount }, (_, index) => [`s${String(index).padStart(3, '0')}`, GLOBAL]));

const bothWays = (one: ClusterSnapshot, other: ClusterSnapshot) => [
  { client: one, server: other },
  { client: other, server: one },
];

describe('clusters that are connected for the first time', () => {
  const cart = { cart: GLOBAL };
  const first = (says: string, number = 1) => `context "context-${number}": ${says}`;

  it.each<[what: string, one: Of, other: Of, says: string[]]>([
    [
      'a Service is global in both',
      { services: cart },
      { services: cart },
      [first('requests for shop/cart may go to mesh-2 too'), first('requests for shop/cart may go to mesh-1 too', 2)],
    ],
    [
      'it is headless in one',
      { services: { cart: HEADLESS } },
      { services: cart },
      [first('requests for shop/cart may go to mesh-1 too', 2)],
    ],
    [
      'it is headless in one, whose DNS has what others have',
      { services: { cart: HEADLESS }, mirrors: true },
      { services: cart },
      [first('requests for shop/cart may go to mesh-2 too'), first('requests for shop/cart may go to mesh-1 too', 2)],
    ],
    [
      'it is headless in one, and not to be mirrored',
      { services: { cart: { ...HEADLESS, 'service.cilium.io/global-sync-endpoint-slices': 'false' } }, mirrors: true },
      { services: cart },
      [first('requests for shop/cart may go to mesh-1 too', 2)],
    ],
    ['it is only another name in one', { services: { cart: EXTERNAL } }, { services: cart }, []],
    ['nothing is global in both', { services: cart }, { services: { db: GLOBAL } }, []],
    [
      'one keeps its backends private',
      { services: cart },
      { services: { cart: PRIVATE } },
      [first('requests for shop/cart may go to mesh-1 too', 2)],
    ],
    [
      'the namespace of one is not global',
      { services: cart },
      { services: cart, namespace: { 'clustermesh.cilium.io/global': 'false' } },
      [first('requests for shop/cart may go to mesh-1 too', 2)],
    ],
    [
      'one dials the other already',
      { services: cart, dials: ['mesh-2'] },
      { services: cart },
      [first('requests for shop/cart may go to mesh-1 too', 2)],
    ],
    ['they are connected already', { services: cart, dials: ['mesh-2'] }, { services: cart, dials: ['mesh-1'] }, []],
    [
      'there are hundreds of them',
      { services: many(300) },
      { services: many(300), dials: ['mesh-1'] },
      [first('requests for shop/s000, shop/s001, shop/s002 and 297 more may go to mesh-2 too')],
    ],
  ])('%s', (_, one, other, says) => {
    expect(newlyShared(bothWays(cluster(1, one), cluster(2, other)))).toEqual(says);
  });

  it('those with the same Services are named together', () => {
    const [one, ...others] = [1, 2, 3, 4, 5, 6].map((number) => cluster(number, { services: cart }));
    const dials = others.flatMap((server) => (one ? [{ client: one, server }] : []));
    expect(newlyShared(dials)).toEqual([
      first('requests for shop/cart may go to mesh-2, mesh-3, mesh-4 and 2 more too'),
    ]);
  });

  it('what may not be listed is said, of a first connection only', () => {
    const unseen = (dials: readonly string[] = []) => {
      const { globalServices: _, ...read } = cluster(1, { dials });
      return { ...read, servicesRefused: 'Ask for it.' };
    };
    const other = cluster(2, { services: cart, dials: ['mesh-1'] });
    const says =
      'context "context-1": its Services may not be listed, so it is not known which of them come to be shared';
    expect(newlyShared(bothWays(unseen(), other))).toEqual([`${says} → Ask for it.`]);
    expect(newlyShared(bothWays(unseen(['mesh-2']), other))).toEqual([]);
    expect(sharedWithStranger(unseen(), 'mesh-2', true)).toEqual([`${says} → Ask for it.`]);
    const unread = { ...cluster(1, {}), globalServices: undefined };
    expect(newlyShared(bothWays(unread, other))).toEqual([]);
  });
});

describe('a cluster of another owner, whose Services nobody here can read', () => {
  const services = { cart: GLOBAL, db: PRIVATE };
  const out = 'requests for shop/cart, shop/db may go to mesh-2 too, if also global there';
  const inwards = 'requests from mesh-2 for shop/cart may come in, if also global there';

  it.each<[what: string, own: Of, dialsPeer: boolean, says: string[]]>([
    ['it is let in', { services }, false, [inwards]],
    ['it is let in and dialled', { services }, true, [out, inwards]],
    ['it was let in before', { services, letsIn: ['mesh-2'] }, true, [out]],
    ['it is connected already', { services, letsIn: ['mesh-2'], dials: ['mesh-2'] }, true, []],
    ['nothing is global', {}, true, []],
    ['it is headless here', { services: { cart: HEADLESS } }, true, [inwards]],
  ])('%s', (_, own, dialsPeer, says) => {
    expect(sharedWithStranger(cluster(1, own), 'mesh-2', dialsPeer)).toEqual(
      says.map((one) => `context "context-1": ${one}`),
    );
  });
});
