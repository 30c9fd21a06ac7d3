import type { CommandSpec } from '../../command-spec.ts';
import { CLUSTERS, parallel } from '../../options/shared-options.ts';

export const FIREWALL = {
  path: ['clustermesh', 'firewall'],
  summary: 'Print the firewall rules that a mesh of these clusters needs',
  description:
    'Sources, destinations and ports, as the settings of each cluster require them: tunnel, encryption, health checks, ' +
    'the clustermesh-apiserver, and with native routing the pods themselves. Nodes and pods are summarised to prefixes ' +
    'that contain nothing of another cluster; one is wider than a /24 (IPv6: /64) only where all of its /24s are in ' +
    'use, and never wider than a /16 (/48). Where something is not known yet, as the addresses before enable, the other rules are printed and the exit status is 1. Of a cluster on AWS it is said where these are more than the 60 inbound rules ' +
    'that a security group takes by default, for IPv4 and IPv6 apart. Nothing is ' +
    'written to any cluster or firewall. What only you know, such as ' +
    'the name of a network, becomes a variable.',
  examples: [
    { line: 'meshctl clustermesh firewall --context gke,eks', what: 'a table, before connect or after' },
    {
      line: 'meshctl clustermesh firewall --all -o gcloud > rules.sh',
      what: 'the commands for clusters on Google Cloud',
    },
    {
      line: 'meshctl clustermesh firewall --context gke,eks -o terraform > mesh.tf',
      what: "resources of each cluster's cloud",
    },
  ],
  reachesClusters: true,
  options: [
    ...CLUSTERS,
    parallel('clusters read at a time', 16),
    {
      flags: '-o, --output <format>',
      group: 'output',
      description: 'format of the rules',
      choices: ['table', 'json', 'yaml', 'gcloud', 'aws', 'az', 'terraform', 'nft'],
      default: 'table',
    },
  ],
} as const satisfies CommandSpec;
