import { probablyMeant } from '../nearest.ts';
import { fieldsOf } from '../record.ts';
import type { Topology } from './document.ts';
import { enableFaults } from './enable-faults.ts';
import { endpointFault } from './endpoint.ts';
import type { FieldPath, ValueFault } from './fault.ts';
import { connectionsOf, dialKey } from './topology.ts';

/**
 * Names that are there twice, names of clusters that there are not, and values that do not go together. What does not look as the
 * schema has it is passed over: that is told already.
 */
export function referenceFaults(document: unknown): ValueFault[] {
  const spec = fieldsOf(fieldsOf(document).spec);
  const clusters = recordsOf(spec.clusters);
  const names = clusters.flatMap(({ name }) => (typeof name === 'string' ? [name] : []));
  const known = knownNames(names);
  return [
    ...clusterFaults(spec, known),
    ...topologyFaults(fieldsOf(spec.topology), known, names),
    ...endpointFaults(spec, known, names),
    ...serviceFaults(spec, known),
    ...textsOf(spec.external).flatMap(({ text, index }): ValueFault[] =>
      names.includes(text)
        ? [{ path: ['spec', 'external', index], message: `"${text}" is one of this file's own clusters` }]
        : [],
    ),
  ];
}

type Known = (text: unknown, path: FieldPath) => ValueFault[];

/** Refuses names that are none of the file's clusters. */
function knownNames(names: readonly string[]): Known {
  return (text, path) => {
    if (typeof text !== 'string' || names.includes(text)) return [];
    const meant = probablyMeant(text, names);
    return [
      {
        path,
        message: `there is no cluster "${text}" in this file`,
        hint: meant === undefined ? `there are ${names.join(', ')}` : `did you mean ${meant}?`,
      },
    ];
  };
}

function clusterFaults(spec: Fields, known: Known): ValueFault[] {
  const defaults = fieldsOf(spec.defaults);
  const clusters = recordsOf(spec.clusters);
  const own = clusters.flatMap((cluster, index): ValueFault[] => {
    const path = ['spec', 'clusters', index];
    const earlier = clusters.slice(0, index);
    const contextOf = ({ context, name }: Fields) => context ?? name;
    const twin = earlier.find(({ name }) => name !== undefined && name === cluster.name);
    const sharing = twin ? undefined : earlier.find((one) => contextOf(one) === contextOf(cluster));
    const { connectOnly = defaults.connectOnly } = cluster;
    return [
      ...(twin ? [{ path: [...path, 'name'], message: `there are two clusters "${String(cluster.name)}"` }] : []),
      ...(sharing && contextOf(cluster) !== undefined
        ? [
            {
              path: [...path, cluster.context === undefined ? 'name' : 'context'],
              message: `the context "${String(contextOf(cluster))}" is that of "${String(sharing.name)}" too`,
              ...(kubeconfigOf(sharing, defaults) === kubeconfigOf(cluster, defaults)
                ? {}
                : { hint: 'messages could not tell them apart: rename it in one of the kubeconfigs' }),
            },
          ]
        : []),
      ...(connectOnly === true && cluster.enable !== undefined
        ? [{ path: [...path, 'enable'], message: 'cannot be used with connectOnly, which leaves all of that alone' }]
        : []),
      ...known(fieldsOf(cluster.enable).caFrom, [...path, 'enable', 'caFrom']),
      ...enableFaults(fieldsOf(cluster.enable), fieldsOf(defaults.enable)).map((fault) => ({
        ...fault,
        path: [...path, 'enable', ...fault.path],
      })),
    ];
  });
  const general = enableFaults(fieldsOf(defaults.enable), {}).map((fault) => ({
    ...fault,
    path: ['spec', 'defaults', 'enable', ...fault.path],
  }));
  const source = known(fieldsOf(defaults.enable).caFrom, ['spec', 'defaults', 'enable', 'caFrom']);
  return [...general, ...source, ...own, ...circleFaults(clusters, defaults)];
}

/** Clusters that get their CA from each other, so that none of them makes it: each circle once, where it can be opened. */
function circleFaults(clusters: readonly Fields[], defaults: Fields): ValueFault[] {
  const { caFrom: general } = fieldsOf(defaults.enable);
  const sources = new Map(
    clusters.flatMap(({ name, enable, connectOnly = defaults.connectOnly }): [unknown, unknown][] => {
      const { caFrom: own } = fieldsOf(enable);
      // The one whose CA all are to have makes it.
      const source = own ?? (general === name ? undefined : general);
      return connectOnly === true || source === undefined ? [] : [[name, source]];
    }),
  );
  const circles = clusters.map(({ name }) => circleFrom(name, sources)).filter((circle) => circle.length > 0);
  const once = circles.filter((circle, index) => circles.findIndex((one) => one.includes(circle[0])) === index);
  return once.map((circle): ValueFault => {
    // Any other one without its own caFrom would have that of the defaults.
    const at = circle.includes(general) ? general : circle[0];
    const index = clusters.findIndex(({ name }) => name === at);
    const [first, ...others] = circleFrom(at, sources).map((name) => `"${String(name)}"`);
    const way = [...others, first].join(', which gets it from ');
    return {
      path: ['spec', 'clusters', index, 'enable', 'caFrom'],
      message: others.length > 0 ? `${first} gets its CA from ${way}` : `${first} does not get its CA from itself`,
      hint: 'without caFrom it has its own',
    };
  });
}

/** The circle that a cluster is in, from it on by whom each gets its CA from; empty where it is in none. */
function circleFrom(cluster: unknown, sources: ReadonlyMap<unknown, unknown>): unknown[] {
  const passed = new Set<unknown>();
  let at = cluster;
  while (at !== undefined && !passed.has(at)) {
    passed.add(at);
    at = sources.get(at);
  }
  return at === cluster && at !== undefined ? [...passed] : [];
}

function kubeconfigOf(cluster: Fields, defaults: Fields): unknown {
  return cluster.kubeconfig ?? defaults.kubeconfig;
}

function topologyFaults(topology: Fields, known: Known, names: readonly string[]): ValueFault[] {
  const path = ['spec', 'topology'];
  const hubs = textsOf(topology.hubs).flatMap(({ text, index }) => known(text, [...path, 'hubs', index]));
  const seen = new Map<string, number>();
  const pairs = listOf(topology.pairs).flatMap((pair, index): ValueFault[] => {
    const at = [...path, 'pairs', index];
    const [one, other] = Array.isArray(pair) ? (pair as unknown[]) : [fieldsOf(pair).from, fieldsOf(pair).to];
    const parts: FieldPath[] = Array.isArray(pair)
      ? [
          [...at, 0],
          [...at, 1],
        ]
      : [
          [...at, 'from'],
          [...at, 'to'],
        ];
    if (one !== undefined && one === other)
      return [{ path: at, message: `"${String(one)}" is not connected with itself` }];
    const key = JSON.stringify([one, other].map(String).sort());
    const first = seen.get(key);
    seen.set(key, first ?? index);
    return [
      ...known(one, parts[0] ?? at),
      ...known(other, parts[1] ?? at),
      ...(first === undefined
        ? []
        : [
            {
              path: at,
              message: `is the same pair as pairs[${first}]`,
              hint: 'a pair that is named by its two clusters dials both ways',
            },
          ]),
    ];
  });
  return [...hubs, ...pairs, ...regionFaults(topology, known, names)];
}

function regionFaults(topology: Fields, known: Known, names: readonly string[]): ValueFault[] {
  if (topology.type !== 'regions') return [];
  const path = ['spec', 'topology', 'regions'];
  const regions = recordsOf(topology.regions);
  const homes = new Map<string, string>();
  const faults = regions.flatMap((region, index): ValueFault[] => {
    const at = [...path, index];
    const name = String(region.name);
    const clusters = textsOf(region.clusters);
    const isTwice = regions.slice(0, index).some((other) => other.name === region.name && region.name !== undefined);
    const { hub } = region;
    const isAstray = typeof hub === 'string' && !clusters.some(({ text }) => text === hub);
    return [
      ...(isTwice ? [{ path: [...at, 'name'], message: `there are two regions "${name}"` }] : []),
      ...clusters.flatMap(({ text, index: place }): ValueFault[] => {
        const where = [...at, 'clusters', place];
        const home = homes.get(text);
        homes.set(text, home ?? name);
        const twice = home === undefined ? [] : [{ path: where, message: `"${text}" is in region "${home}" already` }];
        return [...known(text, where), ...twice];
      }),
      ...(isAstray ? [{ path: [...at, 'hub'], message: `"${hub}" is not a cluster of this region` }] : []),
    ];
  });
  const homeless = names.filter((name) => !homes.has(name));
  return [
    ...faults,
    ...(homeless.length === 0
      ? []
      : [
          {
            path,
            message: `${homeless.map((name) => `"${name}"`).join(', ')} ${homeless.length === 1 ? 'is' : 'are'} in no region`,
          },
        ]),
  ];
}

function endpointFaults(spec: Fields, known: Known, names: readonly string[]): ValueFault[] {
  const dials = new Set(dialsIn(fieldsOf(spec.topology), names));
  const taken = new Map<string, number>();
  return recordsOf(spec.endpoints).flatMap((entry, index): ValueFault[] => {
    const path = ['spec', 'endpoints', index];
    const { to } = entry;
    const from =
      entry.from === undefined ? names.filter((name) => name !== to) : textsOf(entry.from).map(({ text }) => text);
    const double = from
      .map((name) => JSON.stringify([name, to]))
      .flatMap((key) => {
        const first = taken.get(key);
        taken.set(key, first ?? index);
        return first ?? [];
      })[0];
    return [
      ...known(to, [...path, 'to']),
      ...textsOf(entry.from).flatMap(({ text, index: place }): ValueFault[] => {
        const at = [...path, 'from', place];
        const unknown = known(text, at);
        if (unknown.length > 0) return unknown;
        if (text === to) return [{ path: at, message: `"${text}" does not dial itself` }];
        const isIdle = typeof to === 'string' && names.includes(to) && !dials.has(dialKey(text, to));
        return isIdle ? [{ path: at, message: `"${text}" does not dial "${to}" by the topology` }] : [];
      }),
      ...(double === undefined ? [] : [{ path, message: `is for a dial that endpoints[${double}] is for already` }]),
      ...textsOf(entry.addresses).flatMap(({ text, index: place }) => {
        const fault = endpointFault(text);
        return fault ? [{ path: [...path, 'addresses', place], ...fault }] : [];
      }),
    ];
  });
}

/** By {@link dialKey}; nothing of a topology that cannot be. */
function dialsIn(topology: Fields, names: readonly string[]): string[] {
  try {
    return connectionsOf(topology as unknown as Topology, names).map(({ from, to }) => dialKey(from, to));
  } catch {
    return [];
  }
}

function serviceFaults(spec: Fields, known: Known): ValueFault[] {
  const services = recordsOf(spec.services);
  return services.flatMap((service, index): ValueFault[] => {
    const path = ['spec', 'services', index];
    const isSame = (other: Fields) => other.namespace === service.namespace && other.name === service.name;
    const own = service.clusters === undefined ? undefined : textsOf(service.clusters).map(({ text }) => text);
    const double = services.slice(0, index).findIndex((other) => {
      const theirs = other.clusters === undefined ? undefined : textsOf(other.clusters).map(({ text }) => text);
      return isSame(other) && (!own || !theirs || own.some((name) => theirs.includes(name)));
    });
    return [
      ...(double < 0 || typeof service.name !== 'string'
        ? []
        : [
            {
              path,
              message: `services[${double}] says what ${String(service.namespace)}/${service.name} is there already`,
            },
          ]),
      ...textsOf(service.clusters).flatMap(({ text, index: place }) => known(text, [...path, 'clusters', place])),
    ];
  });
}

type Fields = Readonly<Record<string, unknown>>;

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

function recordsOf(value: unknown): Fields[] {
  return listOf(value).map(fieldsOf);
}

function textsOf(value: unknown): { text: string; index: number }[] {
  return listOf(value).flatMap((text, index) => (typeof text === 'string' ? [{ text, index }] : []));
}
