import { APPLY } from './apply-spec.ts';
import { ACCEPT } from './clustermesh/accept/accept-spec.ts';
import { CERTS_LIST } from './clustermesh/certs/list-spec.ts';
import { CERTS_ROTATE } from './clustermesh/certs/rotate-spec.ts';
import { CHECK } from './clustermesh/check/check-spec.ts';
import { CONNECT } from './clustermesh/connect/connect-spec.ts';
import { DISABLE } from './clustermesh/disable/disable-spec.ts';
import { DISCONNECT } from './clustermesh/disconnect/disconnect-spec.ts';
import { ENABLE } from './clustermesh/enable/enable-spec.ts';
import { FIREWALL } from './clustermesh/firewall/firewall-spec.ts';
import { GRAPH } from './clustermesh/graph/graph-spec.ts';
import { HELM_VALUES } from './clustermesh/helm-values/helm-values-spec.ts';
import { INSPECT_POLICY } from './clustermesh/inspect-policy/inspect-policy-spec.ts';
import { INVITATIONS_LIST } from './clustermesh/invitations/list-spec.ts';
import { INVITATIONS_REVOKE } from './clustermesh/invitations/revoke-spec.ts';
import { INVITE } from './clustermesh/invite/invite-spec.ts';
import { RENDER } from './clustermesh/render/render-spec.ts';
import { ROUTES } from './clustermesh/routes/routes-spec.ts';
import { STATUS } from './clustermesh/status/status-spec.ts';
import { command, type LoadableCommand } from './command.ts';
import { COMPLETION } from './completion-spec.ts';
import { CONNECTIVITY_PROBE } from './connectivity/probe-spec.ts';
import { CONNECTIVITY_TEST } from './connectivity/test-spec.ts';
import { DEMO } from './demo-spec.ts';
import { DIFF } from './diff-spec.ts';
import { EXPLAIN } from './explain-spec.ts';
import { EXPORT } from './export-spec.ts';
import { SANDBOX_BREAK } from './sandbox/break-spec.ts';
import { SANDBOX_DOWN } from './sandbox/down-spec.ts';
import { SANDBOX_MEND } from './sandbox/mend-spec.ts';
import { SANDBOX_UP } from './sandbox/up-spec.ts';
import { SERVICE_DESCRIBE } from './service/describe-spec.ts';
import { SERVICE_FAILOVER } from './service/failover-spec.ts';
import { SERVICE_GLOBAL } from './service/global-spec.ts';
import { SERVICE_LIST } from './service/list-spec.ts';
import { VERSION } from './version-spec.ts';

/** What each group of commands is, for help. */
export const COMMAND_GROUPS: Readonly<Record<string, string>> = {
  clustermesh: 'Join clusters into a mesh and inspect it',
  service: 'Services that several clusters serve together',
  'clustermesh certs': 'The certificates of the mesh',
  'clustermesh invitations': 'Invitations of and to other owners',
  connectivity: 'Packets and requests between clusters',
  sandbox: 'Embedded clusters on this machine for trying things out',
};

export const COMMAND_ALIASES: Readonly<Record<string, string>> = { clustermesh: 'mesh' };

/** Every command. Their code is loaded when they run. */
export const COMMANDS: readonly LoadableCommand[] = [
  command(APPLY, () => import('./apply.ts')),
  command(DIFF, () => import('./diff.ts')),
  command(EXPORT, () => import('./export.ts')),
  command(ENABLE, () => import('./clustermesh/enable/enable.ts')),
  command(DISABLE, () => import('./clustermesh/disable/disable.ts')),
  command(HELM_VALUES, () => import('./clustermesh/helm-values/helm-values.ts')),
  command(CONNECT, () => import('./clustermesh/connect/connect.ts')),
  command(DISCONNECT, () => import('./clustermesh/disconnect/disconnect.ts')),
  command(INVITE, () => import('./clustermesh/invite/invite.ts')),
  command(ACCEPT, () => import('./clustermesh/accept/accept.ts')),
  command(INVITATIONS_LIST, () => import('./clustermesh/invitations/list.ts')),
  command(INVITATIONS_REVOKE, () => import('./clustermesh/invitations/revoke.ts')),
  command(STATUS, () => import('./clustermesh/status/status.ts')),
  command(RENDER, () => import('./clustermesh/render/render.ts')),
  command(
    CHECK,
    () => import('./clustermesh/check/check.ts'),
    async () => (await import('./clustermesh/check/check-topics.ts')).CHECK_TOPICS,
  ),
  command(CERTS_LIST, () => import('./clustermesh/certs/list.ts')),
  command(CERTS_ROTATE, () => import('./clustermesh/certs/rotate.ts')),
  command(ROUTES, () => import('./clustermesh/routes/routes.ts')),
  command(FIREWALL, () => import('./clustermesh/firewall/firewall.ts')),
  command(GRAPH, () => import('./clustermesh/graph/graph.ts')),
  command(INSPECT_POLICY, () => import('./clustermesh/inspect-policy/inspect-policy.ts')),
  command(SERVICE_LIST, () => import('./service/list.ts')),
  command(SERVICE_DESCRIBE, () => import('./service/describe.ts')),
  command(SERVICE_GLOBAL, () => import('./service/global.ts')),
  command(SERVICE_FAILOVER, () => import('./service/failover.ts')),
  command(CONNECTIVITY_PROBE, () => import('./connectivity/probe.ts')),
  command(CONNECTIVITY_TEST, () => import('./connectivity/test.ts')),
  command(SANDBOX_UP, () => import('./sandbox/up.ts')),
  command(SANDBOX_BREAK, () => import('./sandbox/break.ts')),
  command(SANDBOX_MEND, () => import('./sandbox/mend.ts')),
  command(SANDBOX_DOWN, () => import('./sandbox/down.ts')),
  command(EXPLAIN, () => import('./explain.ts')),
  command(VERSION, () => import('./version.ts')),
  command(DEMO, () => import('./demo.ts')),
  command(COMPLETION, () => import('./completion.ts')),
];
