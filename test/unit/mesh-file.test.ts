import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { ENABLE } from '../../src/commands/clustermesh/enable/enable-spec.ts';
import { meshWarnings, type PreparedMesh } from '../../src/flows/file/prepare-mesh.ts';
import type { WrittenEnable } from '../../src/mesh/file/document.ts';
import { faultText, refuseFaults } from '../../src/mesh/file/fault.ts';
import { meshSpecOf } from '../../src/mesh/file/mesh-spec.ts';
import { parseMeshText } from '../../src/mesh/file/parse.ts';
import type { Schema } from '../../src/mesh/file/schema.ts';
import { connectionsOf, topologyOf } from '../../src/mesh/file/topology.ts';
import { describeUnfinished, type UnfinishedRotation } from '../../src/mesh/rotation/unfinished-rotation.ts';
import { blocksOf } from '../support/doc-blocks.ts';
import { PACKAGE_ROOT, schemaOf } from '../support/schemas.ts';

const SCHEMA = JSON.parse(readFileSync(new URL('templates/schemas/mesh.schema.json', PACKAGE_ROOT), 'utf8')) as Schema;

const parse = (text: string) => parseMeshText({ file: 'mesh.yaml', text }, SCHEMA);
const faultsIn = (text: string) => parse(text).faults.map(faultText);

const HEAD = 'apiVersion: meshctl.io/v1alpha1\nkind: Mesh\nmetadata: {name: prod}\nspec:\n';
const spec = (text: string) => `${HEAD}${text.trimEnd().replace(/^/gm, '  ')}\n`;
const CLUSTERS = 'clusters: [{name: a}, {name: b}, {name: c}]\n';

describe('a mesh file', () => {
  it('is read with its defaults, and says who dials whom', () => {
    const { documents, faults } = parse(
      spec(`defaults:
  kubeconfig: ../kubeconfig
  enable: {replicas: 2, etcdStorage: memory}
clusters:
  - {name: a, context: gke}
  - name: b
    namespace: cilium
    enable: {replicas: 3, serviceType: NodePort, nodePort: 32001}
  - {name: c, connectOnly: true}
topology: {type: pairs, pairs: [[a, b], {from: c, to: a}]}
credentials: per-peer
endpoints: [{to: a, from: [c], addresses: ['203.0.113.7:2380', mesh.example.com]}]
services: [{namespace: default, name: web, affinity: local, clusters: [a, b]}]
external: [z]
`),
    );
    expect(faults).toEqual([]);
    expect(meshSpecOf(documents).spec).toEqual({
      names: ['prod'],
      clusters: [
        {
          name: 'a',
          context: 'gke',
          kubeconfig: { path: '../kubeconfig', file: 'mesh.yaml' },
          connectOnly: false,
          enable: { replicas: 2, etcdStorage: 'memory' },
          external: ['z'],
        },
        {
          name: 'b',
          context: 'b',
          kubeconfig: { path: '../kubeconfig', file: 'mesh.yaml' },
          namespace: 'cilium',
          connectOnly: false,
          enable: { replicas: 3, etcdStorage: 'memory', serviceType: 'NodePort', nodePort: 32001 },
          external: ['z'],
        },
        {
          name: 'c',
          context: 'c',
          kubeconfig: { path: '../kubeconfig', file: 'mesh.yaml' },
          connectOnly: true,
          enable: { replicas: 2, etcdStorage: 'memory' },
          external: ['z'],
        },
      ],
      dials: [
        { from: 'a', to: 'b', credentials: 'per-peer', oneWay: false },
        { from: 'b', to: 'a', credentials: 'per-peer', oneWay: false },
        {
          from: 'c',
          to: 'a',
          credentials: 'per-peer',
          oneWay: true,
          endpoints: [
            { host: '203.0.113.7', port: 2380 },
            { host: 'mesh.example.com', port: 2379 },
          ],
        },
      ],
      services: [
        { namespace: 'default', name: 'web', affinity: 'local', clusters: ['a', 'b'], among: ['a', 'b', 'c'] },
      ],
      servicesOf: ['a', 'b', 'c'],
    });
  });

  it.each<[own: string, enable: WrittenEnable]>([
    ['{}', { nodePort: 32001, loadBalancerIp: '10.0.0.9', loadBalancerSourceRanges: ['10.0.0.0/8'], replicas: 2 }],
    ['{serviceType: NodePort}', { serviceType: 'NodePort', nodePort: 32001, replicas: 2 }],
    ['{serviceType: ClusterIP, replicas: 3}', { serviceType: 'ClusterIP', replicas: 3 }],
    [
      '{serviceType: LoadBalancer, loadBalancerIp: 10.0.0.7}',
      {
        serviceType: 'LoadBalancer',
        loadBalancerIp: '10.0.0.7',
        loadBalancerSourceRanges: ['10.0.0.0/8'],
        replicas: 2,
      },
    ],
  ])('has defaults for %s but for what is about another type of Service', (own, enable) => {
    const defaults = '{nodePort: 32001, loadBalancerIp: 10.0.0.9, loadBalancerSourceRanges: [10.0.0.0/8], replicas: 2}';
    const text = `defaults: {enable: ${defaults}}\nclusters: [{name: a, enable: ${own}}]\ntopology: {type: mesh}\n`;
    const { documents, faults } = parse(spec(text));
    expect(faults).toEqual([]);
    expect(meshSpecOf(documents).spec.clusters.map((cluster) => cluster.enable)).toEqual([enable]);
  });

  it('tells everything that is wrong at once, each with its place and the nearest name', () => {
    expect(
      faultsIn(
        spec(`clusters:
  - name: alpha
    enable: {replica: 3}
  - name: 7
  - name: alpha
  - {name: gamma, context: alpha, kubconfig: x}
topology: {type: hubs, hubs: [alpha]}
`),
      ),
    ).toEqual([
      'mesh.yaml:7:16: spec.clusters[0].enable.replica: spec.clusters[0].enable has no such field; did you mean replicas?',
      'mesh.yaml:8:13: spec.clusters[1].name: must be text, not the number 7; put it in quotes: "7"',
      'mesh.yaml:9:13: spec.clusters[2].name: there are two clusters "alpha"',
      'mesh.yaml:10:30: spec.clusters[3].context: the context "alpha" is that of "alpha" too',
      'mesh.yaml:10:37: spec.clusters[3].kubconfig: spec.clusters[3] has no such field; did you mean kubeconfig?',
      'mesh.yaml:11:20: spec.topology.type: "hubs" is not one of mesh, hub, pairs, regions; did you mean hub?',
    ]);
  });

  it.each([
    [
      'a pair of a cluster that is not there',
      'topology: {type: pairs, pairs: [[a, bb]]}',
      'spec.topology.pairs[0][1]: there is no cluster "bb" in this file; there are a, b, c',
    ],
    [
      'a cluster and itself',
      'topology: {type: pairs, pairs: [[a, a]]}',
      'spec.topology.pairs[0]: "a" is not connected with itself',
    ],
    [
      'a pair twice',
      'topology: {type: pairs, pairs: [[a, b], {from: b, to: a}]}',
      'spec.topology.pairs[1]: is the same pair as pairs[0]; a pair that is named by its two clusters dials both ways',
    ],
    [
      'one name for a pair',
      'topology: {type: pairs, pairs: [[a]]}',
      'spec.topology.pairs[0]: has 1 entries, and not 2',
    ],
    [
      'a text for a pair',
      'topology: {type: pairs, pairs: [a-b]}',
      'spec.topology.pairs[0]: must be a list or a mapping, not text',
    ],
    [
      'a hub that is not there',
      'topology: {type: hub, hubs: [z]}',
      'spec.topology.hubs[0]: there is no cluster "z" in this file; there are a, b, c',
    ],
    ['no type', 'topology: {hubs: [a]}', 'spec.topology: has no type; it is mesh, hub, pairs, regions'],
    [
      'hubs of a full mesh',
      'topology: {type: mesh, hubs: [a]}',
      'spec.topology.hubs: spec.topology has no such field; its fields are type',
    ],
    [
      'a region without a cluster of the file',
      'topology: {type: regions, regions: [{name: eu, clusters: [a, b], hub: a}]}',
      'spec.topology.regions: "c" is in no region',
    ],
    [
      'a cluster in two regions',
      'topology: {type: regions, regions: [{name: eu, clusters: [a, b]}, {name: us, clusters: [b, c]}]}',
      'spec.topology.regions[1].clusters[0]: "b" is in region "eu" already',
    ],
    [
      'a hub outside of its region',
      'topology: {type: regions, regions: [{name: eu, clusters: [a, b], hub: c}, {name: us, clusters: [c]}]}',
      'spec.topology.regions[0].hub: "c" is not a cluster of this region',
    ],
    [
      'an endpoint of nobody',
      'topology: {type: mesh}\nendpoints: [{to: d, addresses: [x.example.com]}]',
      'spec.endpoints[0].to: there is no cluster "d" in this file; there are a, b, c',
    ],
    [
      'an endpoint of a dial that is none',
      'topology: {type: pairs, pairs: [[a, b]]}\nendpoints: [{to: a, from: [c], addresses: [x.example.com]}]',
      'spec.endpoints[0].from[0]: "c" does not dial "a" by the topology',
    ],
    [
      'a loopback address',
      'topology: {type: mesh}\nendpoints: [{to: a, addresses: ["127.0.0.1:2379"]}]',
      'spec.endpoints[0].addresses[0]: "127.0.0.1:2379" is not an endpoint: 127.0.0.1 is a loopback address, which leads to no other cluster',
    ],
    [
      'two endpoints of one dial',
      'topology: {type: mesh}\nendpoints: [{to: a, addresses: [x.example.com]}, {to: a, from: [b], addresses: [y.example.com]}]',
      'spec.endpoints[1]: is for a dial that endpoints[0] is for already',
    ],
    [
      'a service twice',
      'topology: {type: mesh}\nservices: [{namespace: x, name: web}, {namespace: x, name: web, clusters: [a]}]',
      'spec.services[1]: services[0] says what x/web is there already',
    ],
    [
      'an affinity that is none',
      'topology: {type: mesh}\nservices: [{namespace: x, name: web, affinity: locl}]',
      'spec.services[0].affinity: "locl" is not one of local, remote, none; did you mean local?',
    ],
    [
      'an own cluster as an external one',
      'topology: {type: mesh}\nexternal: [b]',
      'spec.external[0]: "b" is one of this file\'s own clusters',
    ],
    [
      'a node port of a load balancer',
      'topology: {type: mesh}\ndefaults: {enable: {serviceType: LoadBalancer, nodePort: 32000}}',
      'spec.defaults.enable.nodePort: is for Services of type NodePort, not LoadBalancer',
    ],
    [
      'a port beyond ports',
      'topology: {type: mesh}\ndefaults: {enable: {nodePort: 70000}}',
      'spec.defaults.enable.nodePort: is 70000, and at most 65535',
    ],
    [
      'a range that is none',
      'topology: {type: mesh}\ndefaults: {enable: {loadBalancerSourceRanges: [10.0.0.0/33]}}',
      'spec.defaults.enable.loadBalancerSourceRanges[0]: "10.0.0.0/33" is not a CIDR',
    ],
    [
      'a quantity that is none',
      'topology: {type: mesh}\ndefaults: {enable: {resources: {etcd: {limits: {memory: lots}}}}}',
      'spec.defaults.enable.resources.etcd.limits.memory: "lots" is not a quantity like 100m or 1Gi',
    ],
    [
      'a CA of no cluster',
      'topology: {type: mesh}\ndefaults: {enable: {caFrom: z}}',
      'spec.defaults.enable.caFrom: there is no cluster "z" in this file; there are a, b, c',
    ],
    [
      'a dial of itself',
      'topology: {type: mesh}\nendpoints: [{from: [a], to: a, addresses: ["10.0.0.1:2379"]}]',
      'spec.endpoints[0].from[0]: "a" does not dial itself',
    ],
    [
      'a validity of an hour',
      'topology: {type: mesh}\ndefaults: {enable: {certValidity: 1h}}',
      'spec.defaults.enable.certValidity: "1h" is too short: certificates would expire before their peers could renew them',
    ],
    [
      'a setting of no object',
      'topology: {type: mesh}\ndefaults: {enable: {set: {priority: 1}}}',
      'spec.defaults.enable.set.priority: is not Kind/name:path',
    ],
    ['a text for a mapping', 'topology: mesh', 'spec.topology: must be a mapping, not text'],
    ['nothing', 'topology:', 'spec.topology: must be a mapping, not nothing'],
  ])('refuses %s', (_what, text, says) => {
    expect(faultsIn(spec(CLUSTERS + text)).map((line) => line.replace(/^mesh\.yaml:\d+:\d+: /, ''))).toEqual([says]);
  });

  it('takes a validity of no whole hours, as files have it that were written before', () => {
    expect(faultsIn(spec(`${CLUSTERS}topology: {type: mesh}\ndefaults: {enable: {certValidity: 25h30m}}`))).toEqual([]);
  });

  it.each([
    ['an empty file', '', 'mesh.yaml:1:1: there is no document in it'],
    [
      'broken YAML',
      'spec: [',
      'mesh.yaml:1:8: Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
    ['another kind', 'apiVersion: v1\nkind: Secret\n', 'mesh.yaml:2:7: kind: is "Secret", and must be Mesh'],
    [
      'a CA of the cluster itself',
      `${HEAD}  defaults: {enable: {caFrom: a}}\n  clusters: [{name: a}, {name: b, enable: {caFrom: b}}]\n  topology: {type: mesh}\n`,
      'mesh.yaml:6:52: spec.clusters[1].enable.caFrom: "b" does not get its CA from itself; without caFrom it has its own',
    ],
    [
      'CAs in a circle',
      `${HEAD}  clusters: [{name: a, enable: {caFrom: b}}, {name: b, enable: {caFrom: a}}]\n  topology: {type: mesh}\n`,
      'mesh.yaml:5:41: spec.clusters[0].enable.caFrom: "a" gets its CA from "b", which gets it from "a"; without caFrom it has its own',
    ],
    [
      'CAs in a circle to which another one leads, and the defaults: at the one that has its own without',
      `${HEAD}  defaults: {enable: {caFrom: c}}\n  clusters: [{name: d, enable: {caFrom: a}}, {name: a, enable: {caFrom: b}}, {name: b},\n    {name: c, enable: {caFrom: a}}]\n  topology: {type: mesh}\n`,
      'mesh.yaml:7:32: spec.clusters[3].enable.caFrom: "c" gets its CA from "a", which gets it from "b", which gets it from "c"; without caFrom it has its own',
    ],
    [
      'a key twice',
      `${HEAD}  clusters: [{name: a}]\n  clusters: [{name: b}]\n  topology: {type: mesh}\n`,
      'mesh.yaml:6:3: Map keys must be unique',
    ],
  ])('refuses %s', (_what, text, says) => {
    expect(faultsIn(text)).toContain(says);
    expect(faultsIn(text).filter((line) => line.includes('gets its CA')).length).toBeLessThan(2);
  });

  it.each([
    ['its own, where it is that of all by the defaults', 'defaults: {enable: {caFrom: a}}', '{name: a}, {name: b}'],
    [
      'that of another one, which has it from a third',
      '',
      '{name: a, enable: {caFrom: b}}, {name: b, enable: {caFrom: c}}, {name: c}',
    ],
    [
      'that of one that is left alone, whatever the defaults say',
      'defaults: {enable: {caFrom: b}}',
      '{name: a, connectOnly: true}, {name: b, enable: {caFrom: a}}',
    ],
  ])('takes a cluster that gets %s', (_what, defaults, clusters) => {
    expect(faultsIn(`${HEAD}  clusters: [${clusters}]\n  topology: {type: mesh}\n  ${defaults}\n`)).toEqual([]);
  });

  it('tells the first thing that is no YAML, and no word of what the file holds', () => {
    // A line of a terminal above it, and a Secret: one fault, not one for each token.
    const text = '$ kubectl get secret\n# this\napiVersion: v1\nkind: Secret\nstringData: {password: correct-horse}\n';
    expect(faultsIn(text)).toEqual(['mesh.yaml:3:1: Unexpected scalar token in YAML stream']);
    expect(faultsIn('password: |correct-horse\n  x\n')).toEqual([
      'mesh.yaml:1:12: Block scalar header includes extra characters',
    ]);
  });

  it('has no place for keys, and tells none', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const key = privateKey.export({ type: 'sec1', format: 'pem' }).toString().trimEnd();
    const text = `${HEAD}  clusters: [{name: a}]\n  topology: {type: mesh}\n  caKey: |\n${key.replace(/^/gm, '    ')}\n`;
    const told = ['mesh.yaml:8:5: a private key does not belong in this file'];
    expect(faultsIn(text)).toEqual(told);
    expect(faultsIn(`#\n${key.replace(/^/gm, '# ')}\n`)).toEqual([told[0]?.replace('8:5', '2:3')]);
    // In a folder there are other documents, with keys of their own.
    const inFolder = (of: string) => {
      const { documents, faults, others } = parseMeshText({ file: 'mesh.yaml', text: of }, SCHEMA, { passOver: true });
      expect(documents).toEqual([]);
      return [...faults.map(({ message }) => message), ...others];
    };
    const [secret, message] = [
      `kind: Secret\nstringData:\n  ssh: |\n${key.replace(/^/gm, '    ')}\n`,
      'a private key does not belong in this file',
    ];
    expect(inFolder(secret)).toEqual(['Secret']);
    expect(inFolder(`${secret}x: {{ y }}-z\n`)).toEqual(['invalid YAML in mesh.yaml']);
    for (const mesh of [text, `${secret}---\n${HEAD}`, `${HEAD}---\n${secret}`, `${text}x: {{ y }}-z\n`]) {
      expect(inFolder(mesh)).toEqual([message]);
    }
    const long = faultsIn(spec(`${CLUSTERS}topology: {type: ${'k'.repeat(80)}}`));
    expect(long).toEqual([expect.stringContaining('what stands there is not one of mesh')]);
  });

  it('names every fault in the details, and in the message where it is the only one', () => {
    const { faults } = parse(spec('clusters: []\ntopology: {type: mesh}'));
    expect(() => refuseFaults(faults)).toThrow('mesh.yaml:5:13: spec.clusters: is empty');
    expect(() => refuseFaults([...faults, ...faults])).toThrow('mesh.yaml: 2 faults');
  });

  it('may be several documents; a mesh or a cluster that is in two of them is refused', () => {
    const one = spec('clusters: [{name: a}]\ntopology: {type: mesh}\n');
    const { documents } = parse(`${one}---\n${one.replace('prod', 'test').replace('name: a}]', 'name: b}]')}`);
    expect(meshSpecOf(documents).faults).toEqual([]);
    expect(meshSpecOf(documents).spec.clusters.map(({ name }) => name)).toEqual(['a', 'b']);
    const { faults } = meshSpecOf(parse(`${one}---\n${one}`).documents);
    expect(faults.map(faultText)).toEqual([
      'mesh.yaml:8:1: metadata.name: mesh "prod" is in mesh.yaml too',
      'mesh.yaml:8:1: spec.clusters: cluster "a", or its context, is in mesh.yaml too',
    ]);
  });

  it('is shown in the documentation as it can be', () => {
    const [example] = blocksOf('docs/mesh-file.md').filter(({ language }) => language === 'yaml');
    expect(faultsIn(example?.text ?? '')).toEqual([]);
  });

  it('has a field for every flag by which enable says how a cluster is to be', () => {
    const fields = SCHEMA.$defs?.enable?.properties ?? {};
    const named: Readonly<Record<string, string>> = {
      'service-annotation': 'serviceAnnotations',
      'pull-secret': 'pullSecrets',
      toleration: 'tolerations',
      'ca-from-context': 'caFrom',
      'enable-kvstoremesh': 'kvstoremesh',
    };
    /** What is no property of a cluster: which clusters, files with keys, how a run goes. */
    const others = (
      'context all unset ca-cert ca-key replace-ca force-conflicts via-helm helm-release helm-chart ' +
      'helm-repo wait-duration yes dry-run output'
    ).split(' ');
    const flags = ENABLE.options.map(({ flags: text }) => /--([a-z-]+)/.exec(text)?.[1] ?? '');
    const camel = (flag: string) => flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const wanted = flags.filter((flag) => !others.includes(flag)).map((flag) => named[flag] ?? camel(flag));
    expect(Object.keys(fields).sort()).toEqual(wanted.sort());
  });
});

describe('a document in a folder', () => {
  const CRD = 'apiVersion: example.net/v1\n';
  const OURS = 'apiVersion: meshctl.io/v1alpha1\n';
  const BODY = 'spec: {clusters: [], topology: {type: mesh}}\n';
  it.each<[string, string, string | undefined]>([
    ['a kind that is misspelt', `${OURS}kind: mesh\n`, undefined],
    ['a kind that is nearly it', `${OURS}kind: Meshes\n`, undefined],
    ['no kind', OURS, undefined],
    ['another kind with what a mesh has', `${OURS}kind: Network\n${BODY}`, undefined],
    ['an API that is nearly it', `apiVersion: meshctl/v1\nkind: mesh\n${BODY}`, undefined],
    ['no API', `kind: mesh\n${BODY}`, undefined],
    ['only what a mesh has', BODY, undefined],
    ['another version', 'apiVersion: meshctl.io/v1\nkind: Mesh\n', undefined],
    ['too many aliases', `${OURS}kind: Mesh\nspec: {a: &a [1], b: [${'*a, '.repeat(200)}*a]}\n`, undefined],
    ['an invitation', `${OURS}kind: ClusterMeshInvitation\nspec: {}\n`, 'ClusterMeshInvitation'],
    ['a result of meshctl', `${OURS}kind: MeshDiff\nclusters: []\n`, 'MeshDiff'],
    ['a kind of others', `${CRD}kind: mesh\n${BODY}`, 'mesh'],
    ['values of a chart', 'replicas: 1\n', 'a document without kind'],
    ['a list', '- 1\n', 'a document without kind'],
    ['a template of a chart', `${CRD}kind: Server\nmetadata:\n  name: {{ .Release.Name }}-a\n`, 'invalid YAML in x'],
    ['a condition of a chart', `{{- if .x }}\n${CRD}{{- end }}\n`, 'invalid YAML in x'],
    [
      'no YAML, after another one',
      `${CRD}kind: Server\n---\nname: {{ .Release.Name }}-a\n`,
      'Server, invalid YAML in x',
    ],
  ])('with %s is a fault, or is passed over and named', (_what, text, kind) => {
    const { documents, faults, others } = parseMeshText({ file: 'x', text }, SCHEMA, { passOver: true });
    expect(others).toEqual(kind?.split(', ') ?? []);
    expect(faults.length > 0).toBe(kind === undefined);
    expect(documents).toHaveLength(kind === undefined ? 1 : 0);
  });

  it.each([
    ['a conflict of versions', `<<<<<<< HEAD\n${OURS}=======\n${OURS}>>>>>>> other\nkind: Mesh\n${BODY}`],
    ['a template', `${OURS}kind: Mesh\nmetadata: {name: {{ .name }}-a}\n${BODY}`],
    ['a condition of a template', `{{- if .x }}\n${OURS}kind: Mesh\n${BODY}{{- end }}\n`],
    ['JSON that lacks a comma', '{"kind": "Mesh" "spec": {}}'],
    ['a bracket that is open', `${BODY.replace('}}', '}')}`],
    ['a quote that is open, in the document before it', `name: "a\n---\n${OURS}kind: Mesh\n${BODY}`],
  ])('that is meant as a mesh and no YAML, for %s, is a fault', (_what, text) => {
    const { faults, others } = parseMeshText({ file: 'x', text }, SCHEMA, { passOver: true });
    expect({ others, isRefused: faults.length > 0 }).toEqual({ others: [], isRefused: true });
  });
});

describe('topologies', () => {
  const names = ['a', 'b', 'c', 'd'];
  const pairs = (topology: Parameters<typeof connectionsOf>[0]) =>
    connectionsOf(topology, names).map(({ from, to }) => `${from}${to}`);

  it('are who dials whom', () => {
    expect(pairs({ type: 'mesh' })).toHaveLength(12);
    expect(pairs({ type: 'hub', hubs: ['b'] })).toEqual(['ba', 'ab', 'bc', 'cb', 'bd', 'db']);
    expect(pairs({ type: 'hub', hubs: ['a', 'b'] })).toHaveLength(10);
    const regions = [
      { name: 'eu', clusters: ['a', 'b'], hub: 'a' },
      { name: 'us', clusters: ['c'], hub: 'c' },
      { name: 'lab', clusters: ['d'] },
    ];
    expect(pairs({ type: 'regions', regions })).toEqual(['ab', 'ba', 'ac', 'ca']);
  });

  it('are written so that the same dial each other', () => {
    const dial = fc.record({ from: fc.constantFrom(...names), to: fc.constantFrom(...names) });
    const dials = fc.uniqueArray(
      dial.filter(({ from, to }) => from !== to),
      { selector: ({ from, to }) => from + to },
    );
    const keys = (list: readonly { from: string; to: string }[]) => list.map(({ from, to }) => from + to).sort();
    fc.assert(
      fc.property(dials, (list) => {
        expect(keys(connectionsOf(topologyOf(list, names), names))).toEqual(keys(list));
      }),
    );
    expect(topologyOf(connectionsOf({ type: 'mesh' }, names), names)).toEqual({ type: 'mesh' });
    const hubs = { type: 'hub', hubs: ['b', 'c'] } as const;
    expect(topologyOf(connectionsOf(hubs, names), names)).toEqual(hubs);
  });
});

describe('what is to be said of the clusters of a file', () => {
  const rotation: UnfinishedRotation = { stage: 'replaced', phase: 'peers', isProven: true, trustsBoth: true };
  const own = `${describeUnfinished(rotation)}. To continue → meshctl clustermesh certs rotate --context one`;
  const joining = `context "one": ${own},two`;
  const warned = (connecting: readonly string[]) => {
    const snapshot = { context: 'one', namespace: 'kube-system', objects: new Map(), ciliumConfig: {} };
    const drafts = [{ draft: { snapshot, warnings: [own, 'the key is short'], rotation } }];
    const connections = { now: { warnings: connecting } };
    const nothing = { extra: { notPeers: [] }, withdrawals: { unseen: [] }, remarks: [] };
    return meshWarnings({ snapshots: [snapshot], drafts, connections, ...nothing } as unknown as PreparedMesh);
  };

  it.each([
    ['of a rotation once, with the clusters that join it', [joining], ['one: the key is short', joining]],
    ['of a rotation where nobody is connected', [], [`one: ${own}`, 'one: the key is short']],
    [
      'of each rotation',
      [joining.replace('"one"', '"two"')],
      [`one: ${own}`, 'one: the key is short', joining.replace('"one"', '"two"')],
    ],
  ])('tells %s', (_what, connecting, told) => {
    expect(warned(connecting)).toEqual(told);
  });
});

describe('the schema', () => {
  const validate = schemaOf('Mesh');

  /** Documents that are nearly right: fields of the schema, and now and then something else. */
  const documents = fc.array(fc.nat({ max: 799 }), { minLength: 600, maxLength: 600 }).map((dice) => {
    let at = 0;
    const chance = () => dice[at++ % dice.length] ?? 0;
    return made(SCHEMA, (choices) => choices[chance() % choices.length] as never, chance);
  });

  it('takes and refuses the very documents that meshctl does', () => {
    let valid = 0;
    fc.assert(
      fc.property(documents, (document) => {
        const bySchema = validate(document) as boolean;
        valid += bySchema ? 1 : 0;
        const text = stringify(document, { aliasDuplicateObjects: false });
        const faults = parseMeshText({ file: 'x', text }, SCHEMA, { references: false }).faults;
        expect(faults.map(faultText), text).toHaveLength(bySchema ? 0 : faults.length || -1);
      }),
      { numRuns: 600 },
    );
    expect(valid).toBeGreaterThan(10);
  });
});

/** A value by a schema. @param chance 0 to 799; what is rare is 0 */
function made(schema: Schema, pick: <T>(choices: readonly T[]) => T, chance: () => number): unknown {
  const { $ref, oneOf } = schema;
  if (chance() === 0) return pick([null, 'text', 7, true, [], {}]);
  if ($ref !== undefined) return made(SCHEMA.$defs?.[$ref.replace('#/$defs/', '')] ?? {}, pick, chance);
  if (oneOf) return made(pick(oneOf), pick, chance);
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return pick(schema.enum);
  if (schema.type === 'boolean') return pick([true, false]);
  if (schema.type === 'integer') return pick([1, 2, 32_000]);
  if (schema.type === 'array') {
    const count = chance() === 0 ? 0 : (schema.maxItems ?? 2);
    return Array.from({ length: count }, () => made(schema.items ?? {}, pick, chance));
  }
  if (schema.type === 'object') {
    const { properties = {}, required = [], additionalProperties } = schema;
    const kept = Object.entries(properties).filter(([name]) =>
      required.includes(name) ? chance() > 0 : chance() < 320,
    );
    const extra = typeof additionalProperties === 'object' ? { key: made(additionalProperties, pick, chance) } : {};
    const astray = chance() === 0 ? { astray: 1 } : {};
    return {
      ...Object.fromEntries(kept.map(([name, of]) => [name, made(of, pick, chance)])),
      ...extra,
      ...astray,
    };
  }
  if (schema.pattern?.includes('ms|s|m|h|d')) return chance() < 6 ? 'soon' : '90d';
  if (schema.pattern?.includes('KMGTPE')) return chance() < 6 ? 'lots' : pick(['1', '100m', '2Gi']);
  return chance() < 2 ? pick(['A B', '', 'x=y']) : pick(['a', 'mesh-1', 'mesh-2']);
}
