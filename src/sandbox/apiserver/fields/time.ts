/** A time as Kubernetes writes it, to the second: `2026-01-02T03:04:05Z`. */
export function rfc3339(date: Date = new Date()): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}
