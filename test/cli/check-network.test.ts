import { type CheckMesh, checkScenarios, cutLink, type Undo } from '../support/check-scenarios.ts';
import { found } from '../support/sandbox-mesh.ts';

const ADVERTISEMENT = { apiVersion: 'cilium.io/v2', kind: 'CiliumBGPAdvertisement', name: 'pod-cidrs' };
const routing = 'native-bgp';

function stopBgp({ sandbox }: CheckMesh): Undo {
  sandbox.routers.stopBgp('mesh-1', 'mesh-2');
  return () => sandbox.routers.startBgp('mesh-1', 'mesh-2');
}

checkScenarios(
  'network',
  { state: 'connected', options: { clusters: [{ routing }, { routing }, { routing }] } },
  {
    'node-health': [
      {
        when: 'nothing goes through between the clusters',
        severity: 'fail',
        args: { contexts: ['mesh-1', 'mesh-2'] },
        change: cutLink,
      },
    ],
    'bgp-sessions': [
      {
        when: 'the routers of two clusters talk no BGP any more',
        severity: 'fail',
        cluster: 'mesh-1',
        args: { cases: ['mesh-1-node-1 to 172.18.2.1 (active)'] },
        change: stopBgp,
      },
      {
        when: 'nothing goes through between the clusters',
        severity: 'fail',
        cluster: 'mesh-1',
        change: cutLink,
      },
    ],
    'bgp-pod-cidrs': [
      {
        when: 'a cluster does not advertise its pods',
        severity: 'warn',
        cluster: 'mesh-2',
        args: { cases: ['mesh-2-node-1 advertises no IPv4 pod range'] },
        change({ two }) {
          const advertisement = found(two.store.get(ADVERTISEMENT), 'the advertisement');
          two.store.delete(ADVERTISEMENT);
          const { apiVersion, kind, metadata, spec } = advertisement;
          return () => two.store.create({ apiVersion, kind, metadata: { name: metadata.name }, spec });
        },
      },
    ],
    'native-routes': [
      {
        when: 'routes are withdrawn',
        severity: 'fail',
        cluster: 'mesh-1',
        args: { cases: ['mesh-1-node-1 has none to 10.2.0.0/24 of mesh-2'] },
        change: stopBgp,
      },
    ],
  },
);
