/**
 * What ECR's registries count by the second ("Amazon ECR service quotas", "Amazon ECR Public service quotas"), by the requests
 * to `/v2/` that it turns into them. Written here again, for a test of those in `src/aws` against themselves shows nothing.
 */
const PER_SECOND = {
  private: { 'POST uploads': 100, 'PATCH uploads': 500, 'PUT uploads': 100, 'PUT manifests': 10 },
  public: { 'POST uploads': 10, 'PATCH uploads': 260, 'PUT uploads': 10, 'PUT manifests': 10 },
} as const;

/** Counts requests over the last second; those that are refused count too. */
export function quotas(
  kind: keyof typeof PER_SECOND,
  now: () => number,
): { isOverQuota: (request: { readonly method: string; readonly path: string }) => boolean } {
  const seen = new Map<string, number[]>();
  const limits: Readonly<Record<string, number>> = PER_SECOND[kind];
  return {
    isOverQuota: ({ method, path }) => {
      const what = `${method} ${path.includes('/blobs/uploads/') ? 'uploads' : path.includes('/manifests/') ? 'manifests' : ''}`;
      const limit = limits[what];
      if (limit === undefined) return false;
      const recent = [...(seen.get(what) ?? []).filter((at) => at > now() - 1000), now()];
      seen.set(what, recent);
      return recent.length > limit;
    },
  };
}
