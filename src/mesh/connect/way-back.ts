/** What an operator runs for a cluster in which what a run has written stays. */
export interface WayBack {
  command: string;
  /** Whether it goes on from there, rather than taking it back. */
  resumes: boolean;
}
