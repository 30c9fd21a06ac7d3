import { type CheckScenario, checkScenarios, configure } from '../support/check-scenarios.ts';

/** mesh-2 differs in what cilium-config says. */
const differing = (
  when: string,
  severity: CheckScenario['severity'],
  settings: Record<string, string | undefined>,
): CheckScenario => ({ when, severity, change: ({ two }) => configure(two, settings) });

checkScenarios(
  'config',
  { state: 'installed' },
  {
    'datapath-mode': [
      differing('one cluster routes natively', 'fail', { 'routing-mode': 'native' }),
      differing('one cluster says so in the words before 1.14', 'fail', {
        'routing-mode': undefined,
        tunnel: 'disabled',
      }),
    ],
    'tunnel-protocol': [differing('one cluster uses Geneve', 'fail', { 'tunnel-protocol': 'geneve' })],
    encryption: [
      differing('one cluster uses WireGuard', 'warn', { 'enable-wireguard': 'true' }),
      differing('one cluster uses IPsec', 'warn', { 'enable-ipsec': 'true' }),
    ],
    'policy-default-local-cluster': [
      differing('one cluster has it off', 'warn', { 'policy-default-local-cluster': 'false' }),
    ],
    'ip-families': [
      differing('one cluster has IPv6 too', 'warn', { 'enable-ipv6': 'true' }),
      differing('one cluster has IPv6 only', 'fail', { 'enable-ipv4': 'false', 'enable-ipv6': 'true' }),
    ],
  },
);
