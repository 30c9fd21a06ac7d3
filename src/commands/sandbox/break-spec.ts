import type { CommandSpec } from '../command-spec.ts';
import { SANDBOX_KUBECONFIG } from './kubeconfig-option.ts';

export const SANDBOX_BREAK = {
  path: ['sandbox', 'break'],
  summary: 'Break the network between embedded clusters, or show what is broken',
  description:
    'A rule is ACTION:FROM>TO[:MORE], one direction; FROM<>TO is both. ACTION is drop, reject, delay, mtu or no-route; FROM ' +
    'and TO are CLUSTER or CLUSTER/NODE; MORE is PROTOCOL or PROTOCOL/PORT (tcp, udp, icmp, esp), behind the milliseconds ' +
    'of a delay or the bytes of an mtu. Answers go the other way. Quote it: shells take > for their own.',
  examples: [
    { line: "meshctl sandbox break 'drop:mesh-1>mesh-2:udp/8472'", what: 'the tunnel from mesh-1 to mesh-2' },
    { line: "meshctl sandbox break 'mtu:mesh-1<>mesh-2:1400'", what: 'larger packets are lost, as in a VPN' },
    { line: "meshctl sandbox break 'no-route:mesh-1/mesh-1-node-1>mesh-2'", what: 'of one node' },
    { line: 'meshctl sandbox break', what: 'what is broken now' },
  ],
  arguments: [{ name: 'rules', description: 'one, or several separated by commas; none: show them', optional: true }],
  options: [SANDBOX_KUBECONFIG],
} as const satisfies CommandSpec;
