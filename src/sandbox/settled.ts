import type { Store } from './apiserver/storage/object-store.ts';
import { type DaemonSet, type Deployment, typeOf } from './objects.ts';

/** Resolves when all Deployments and DaemonSets of a cluster are fully ready. */
export function untilSettled(store: Store): Promise<void> {
  return new Promise((done) => {
    const check = () => {
      if (!isSettled(store)) return false;
      done();
      return true;
    };
    if (check()) return;
    const unsubscribe = store.subscribe(({ object }) => {
      if ((object.kind === 'Deployment' || object.kind === 'DaemonSet') && check()) unsubscribe();
    });
  });
}

function isSettled(store: Store): boolean {
  const deployments = store.list(typeOf('Deployment')) as Deployment[];
  const daemonSets = store.list(typeOf('DaemonSet')) as DaemonSet[];
  return (
    deployments.every(({ spec, status, metadata }) => {
      const wanted = spec.replicas ?? 1;
      const counts = [status?.replicas, status?.updatedReplicas, status?.readyReplicas];
      return status?.observedGeneration === metadata.generation && counts.every((count) => (count ?? 0) === wanted);
    }) &&
    daemonSets.every(
      ({ status, metadata }) =>
        status?.observedGeneration === metadata.generation &&
        status?.numberReady === status?.desiredNumberScheduled &&
        (status?.updatedNumberScheduled ?? 0) === status?.desiredNumberScheduled,
    )
  );
}
