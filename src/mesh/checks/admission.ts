import { everyNodeCommand, nodesWithReadyPod } from '../apiserver/endpoints.ts';
import { apiserverDeployment, apiserverService } from '../apiserver/live.ts';
import { lackOfRoom } from '../apiserver/room.ts';
import { ipFamilies } from '../cilium/datapath.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { kubectlCommand, meshctlCommand, shellWord } from '../command-line.ts';
import { partOf } from '../counted.ts';
import { ingressVerdict } from '../objects/ingress-policy.ts';
import { APISERVER, ETCD_PORT } from '../objects/names.ts';
import { enforcedLevel, restrictedViolations } from '../objects/pod-security.ts';
import { serviceFamilies, serviceSpec } from '../objects/service.ts';
import { workloadSpec } from '../objects/workload.ts';
import { type Finding, listed, type Subject } from './shared/check.ts';
import { findingOf, type MeshCheck } from './shared/mesh-input.ts';
import { NO_CONFIG } from './shared/subjects.ts';

/** As Cilium's chart labels the pods. */
const POD_LABELS = { 'k8s-app': APISERVER, 'app.kubernetes.io/name': APISERVER, 'app.kubernetes.io/part-of': 'cilium' };

/** What the cluster would refuse: to run the clustermesh-apiserver's pods, or to let peers through to them. */
export const ADMISSION_CHECKS: readonly MeshCheck[] = [
  {
    id: 'apiserver-schedulable',
    category: 'apiserver',
    title: 'the clustermesh-apiserver can be scheduled on a node',
    subject: ({ nodes }) => ({
      things: nodes.map(({ name }) => name),
      otherwise: 'it has no nodes that could be read',
    }),
    run: ({ clusters }) => clusters.flatMap(unschedulable),
    says: ({ args }) =>
      `context "${args.context}": no node takes ${args.running ? 'further pods of the running clustermesh-apiserver' : 'its pods'} (${listed(args.reasons, '; ')})`,
  },
  {
    id: 'apiserver-pod-security',
    category: 'apiserver',
    title: "the clustermesh-apiserver meets its namespace's Pod Security level",
    subject: securedDeployment,
    run: ({ clusters }) =>
      clusters.flatMap((cluster): Finding[] => {
        const lacks = restrictedViolations(apiserverDeployment(cluster));
        const { context } = cluster;
        if (lacks.length === 0) return [];
        const hint = `Its pods are refused when they start again. With what is asked for: ${meshctlCommand('clustermesh enable', { context })}`;
        return [findingOf('apiserver-pod-security', 'fail', context, { lacks }, hint)];
      }),
    says: ({ args }) =>
      `context "${args.context}": the namespace enforces "restricted", and the pods lack ${listed(args.lacks)}`,
  },
  {
    id: 'apiserver-policy',
    category: 'apiserver',
    title: `network policies let peers in to TCP ${ETCD_PORT} of the clustermesh-apiserver`,
    observes: true,
    subject: ({ context, ciliumConfig }, { observed }) => {
      const { policies } = observed.get(context) ?? {};
      if (!ciliumConfig) return { things: [], otherwise: NO_CONFIG, isIdle: true };
      if (ciliumConfig['enable-policy'] === 'never')
        return { things: [], otherwise: 'Cilium enforces no policies there', isIdle: true };
      return { things: policies ? ['policies'] : [], otherwise: 'its policies may not be listed', isBlind: !policies };
    },
    run: ({ clusters, observed }) =>
      clusters.flatMap((cluster) => shutOut(cluster, observed.get(cluster.context)?.policies ?? [])),
    says: ({ args }) => {
      const by = listed(args.by);
      const closes = by === '' ? 'Cilium (enable-policy: always)' : by;
      const what = args.denies
        ? 'denies what comes from outside, whatever else lets it in'
        : args.lets === 'pods'
          ? 'lets in pods only, and peers come from nodes and load balancers'
          : 'lets no one in';
      return `context "${args.context}": ${closes} ${what}`;
    },
  },
  {
    id: 'node-port-local',
    category: 'apiserver',
    title: 'the NodePort that peers dial is served wherever pods are',
    subject: (cluster) => ({
      things: serviceSpec(apiserverService(cluster)).type === 'NodePort' ? [APISERVER] : [],
      otherwise: 'its clustermesh-apiserver has no NodePort',
    }),
    run: ({ clusters }) => clusters.flatMap(servedLocally),
    says: ({ args }) =>
      args.serving === 0
        ? `context "${args.context}": externalTrafficPolicy is Local, and no ready node has a ready pod`
        : `context "${args.context}": externalTrafficPolicy is Local, by which ${partOf(Number(args.serving), Number(args.nodes), 'node', ['serves', 'serve'])} peers, and others when pods move`,
  },
];

function templateOf(cluster: ClusterSnapshot) {
  return workloadSpec(apiserverDeployment(cluster)).template;
}

/** No node would take a pod of the clustermesh-apiserver: as it is deployed, or as enable deploys it. */
function unschedulable(cluster: ClusterSnapshot): Finding[] {
  const { context, apiserverPods = [] } = cluster;
  const lack = lackOfRoom(cluster);
  if (!lack) return [];
  const { reasons, hint } = lack;
  const running = apiserverPods.some(({ ready }) => ready);
  return [findingOf('apiserver-schedulable', running ? 'warn' : 'fail', context, { reasons, running }, hint)];
}

function securedDeployment(cluster: ClusterSnapshot): Subject {
  if (!cluster.namespaceLabels) {
    return { things: [], otherwise: 'the labels of its namespace may not be read', isBlind: true };
  }
  if (enforcedLevel(cluster) !== 'restricted')
    return { things: [], otherwise: 'its namespace does not enforce "restricted"' };
  return {
    things: templateOf(cluster) ? [APISERVER] : [],
    otherwise: 'Cluster Mesh is not enabled yet; enable deploys what "restricted" asks for',
  };
}

function shutOut(cluster: ClusterSnapshot, policies: Parameters<typeof ingressVerdict>[0]): Finding[] {
  const { context, namespace, namespaceLabels, ciliumConfig } = cluster;
  const template = templateOf(cluster);
  const dialled = serviceFamilies(apiserverService(cluster));
  const families = ipFamilies(ciliumConfig ?? {});
  const {
    lets,
    by,
    denying = [],
  } = ingressVerdict(
    policies,
    {
      ...{ namespace, namespaceLabels, labels: template?.metadata?.labels ?? POD_LABELS },
      serviceAccount: template?.spec?.serviceAccountName ?? APISERVER,
      cluster: ciliumConfig?.['cluster-name'],
      ...{ port: ETCD_PORT, portName: 'etcd', isDualStack: families.length > 1 },
      families: dialled.length > 0 ? dialled : families,
    },
    ciliumConfig?.['enable-policy'],
  );
  if (lets === 'all') return [];
  if (lets === 'unknown') {
    const reason = `whether ${listed(by)} selects its pods hangs on labels that are not known here`;
    const blind = namespaceLabels ? undefined : true;
    return [{ ...findingOf('apiserver-policy', 'skip', context, { reason }), blind }];
  }
  if (lets === 'some') {
    const reason = `whether ${listed(by)} lets peers in hangs on their addresses, which are not known here`;
    return [findingOf('apiserver-policy', 'skip', context, { reason })];
  }
  if (denying.length > 0) {
    const policiesOf = denying.map(({ kind, name }) => `${kind.toLowerCase()}/${name}`);
    const look = kubectlCommand({ context, namespace }, ['get', ...new Set(policiesOf), '-o', 'yaml']);
    const hint = `Take the denial out, over which nothing else lets in: ${look}`;
    return [findingOf('apiserver-policy', 'fail', context, { lets, by, denies: true }, hint)];
  }
  const severity = lets === 'pods' ? 'warn' : 'fail';
  const apply = kubectlCommand({ context, namespace }, ['apply', '-f', '-']);
  const hint = `Let connections in: echo ${shellWord(JSON.stringify(allowingPolicy()))} | ${apply}`;
  return [findingOf('apiserver-policy', severity, context, { lets, by }, hint)];
}

/** Lets anyone in to etcd, which asks every client for a certificate. */
function allowingPolicy() {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: APISERVER },
    spec: {
      podSelector: { matchLabels: { 'k8s-app': APISERVER } },
      ingress: [{ ports: [{ protocol: 'TCP', port: ETCD_PORT }] }],
    },
  };
}

function servedLocally(cluster: ClusterSnapshot): Finding[] {
  const { context, nodes } = cluster;
  if (serviceSpec(apiserverService(cluster)).externalTrafficPolicy !== 'Local') return [];
  const served = nodesWithReadyPod(cluster);
  const serving = nodes.filter(({ name, ready }) => ready && served?.has(name)).length;
  const hint = `Let every node serve: ${everyNodeCommand(cluster)}`;
  return [
    findingOf('node-port-local', serving === 0 ? 'fail' : 'warn', context, { serving, nodes: nodes.length }, hint),
  ];
}
