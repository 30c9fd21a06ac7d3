import type { CommandSpec } from './command-spec.ts';

export const SHELLS = ['bash', 'zsh', 'fish', 'powershell'] as const;

export const COMPLETION = {
  path: ['completion'],
  summary: 'Print the shell completion script',
  description:
    'Completes commands, flags and their values: contexts of the kubeconfig, checks, and from the clusters that the ' +
    'line names the names of peers, services and namespaces. A cluster that does not answer within 300ms is left out; ' +
    'MESHCTL_COMPLETION_TIMEOUT=2s gives it longer. The scripts need no other package.',
  examples: [
    { line: 'source <(meshctl completion bash)', what: 'bash: in this shell; for good, add the line to ~/.bashrc' },
    {
      line: 'eval "$(meshctl completion bash)"',
      what: 'the same in the bash of macOS',
    },
    {
      line: 'source <(meshctl completion zsh)',
      what: 'zsh: in this shell; for good, add the line to ~/.zshrc, after compinit',
    },
    { line: 'meshctl completion fish | source', what: 'fish: in this shell' },
    {
      line: 'meshctl completion fish > ~/.config/fish/completions/meshctl.fish',
      what: 'fish: for good',
    },
    {
      line: 'meshctl completion powershell | Out-String | Invoke-Expression',
      what: 'PowerShell: in this shell; for good, add the line to the file that $PROFILE names',
    },
  ],
  arguments: [{ name: 'shell', description: 'whose script: bash, zsh, fish or powershell', choices: SHELLS }],
  options: [],
} as const satisfies CommandSpec;
