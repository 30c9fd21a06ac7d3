/** `mesh-1`, `mesh-2`, … */
export const namesOf = (count: number) => Array.from({ length: count }, (_, index) => `mesh-${index + 1}`);

/** The Secrets of a cluster's own certificates. */
export const OWN_CERTIFICATES = ['server', 'admin', 'local', 'remote'].map(
  (role) => `clustermesh-apiserver-${role}-cert`,
);
