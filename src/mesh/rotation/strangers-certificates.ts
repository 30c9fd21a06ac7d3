import { meshctlCommand } from '../command-line.ts';
import type { Member } from '../connect/member.ts';
import type { Contexts } from '../faults/fault-advice.ts';
import { peersOfOthers } from '../peers/peer-choices.ts';
import { dialingFile } from '../peers/peers.ts';
import type { SilentContext } from '../peers/silent-peers.ts';
import { peersDue } from './due.ts';
import type { LeftCertificates } from './left-certificates.ts';
import { nameIssuer } from './refusals.ts';
import { strangersTo } from './rotated-certificates.ts';

/** A certificate of a named cluster for dialling one that was not named, which issues it. */
export interface UnissuedCertificate {
  /** Of who dials. */
  context: string;
  peer: string;
  /** As a clause. */
  says: string;
  hint: string;
}

interface Choice {
  olderThanMs?: number | undefined;
  peer?: string | undefined;
  silent?: readonly SilentContext[] | undefined;
}

/** Those that a cluster is connected to and that have no part in a run: of the operator, and of other owners. */
export function strangersByOwner(member: Member, members: readonly Member[]): { own: string[]; theirs: string[] } {
  const ofOthers = peersOfOthers(member.snapshot);
  const all = strangersTo(member, members);
  const theirs = all.filter((peer) => ofOthers.includes(peer));
  return { own: all.filter((peer) => !theirs.includes(peer)), theirs };
}

/**
 * What is as old as was asked, and stays: whoever issues it was not named. None where nothing was asked by age: then all is renewed that
 * the named clusters issue.
 */
export function unissuedCertificates(
  members: readonly Member[],
  choice: Choice,
  now: Date,
  contexts: Contexts,
): UnissuedCertificate[] {
  return dueOfStrangers(members, choice, now, 'own').map(({ member, peer }) => ({
    context: member.snapshot.context,
    peer,
    says: `the certificate for dialling ${peer} is due and stays, since ${peer} issues it and has no part in this run`,
    hint: nameIssuer([member], peer, contexts, choice.silent),
  }));
}

/** The same of those that another owner issues: that they are older than was asked is nothing amiss, and they are asked for new ones. */
export function leftToOwners(members: readonly Member[], choice: Choice, now: Date): LeftCertificates[] {
  return dueOfStrangers(members, choice, now, 'theirs').map(({ member: { snapshot }, peer }) => {
    const file = dialingFile(snapshot, peer);
    return {
      context: snapshot.context,
      owner: `owner of ${peer}`,
      secrets: file ? [file.secret.metadata.name] : [],
      says: staysWithOwner(peer),
      hint: `Ask them for a new one: ${askCommand(snapshot.context, peer)}`,
    };
  });
}

/** The certificates for dialling those without a part in a run that are as old as was asked, for all peers. */
function dueOfStrangers(
  members: readonly Member[],
  { olderThanMs, peer: only }: Choice,
  now: Date,
  whose: 'own' | 'theirs',
): { member: Member; peer: string }[] {
  if (olderThanMs === undefined || only !== undefined) return [];
  return members.flatMap((member) => {
    const strangers = strangersByOwner(member, members)[whose];
    const due = peersDue(member.snapshot, olderThanMs, now).filter((peer) => strangers.includes(peer));
    return due.map((peer) => ({ member, peer }));
  });
}

export function staysWithOwner(peer: string): string {
  return `the certificate for dialling ${peer} stays, since another owner issues it`;
}

export function askCommand(context: string, peer: string): string {
  return meshctlCommand('clustermesh certs rotate', { context }, ['--peer', peer]);
}
