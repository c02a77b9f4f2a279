import type { EcrRegistry } from './ecr-registry.ts';

/** A request of the distribution API. */
interface RequestLine {
  readonly method: string;
  readonly url: URL;
}

/**
 * Requests a second that an account may send in a region, by the actions of ECR's own interface that requests to `/v2/` are
 * turned into ("Amazon ECR service quotas", and "Amazon ECR Public service quotas"). Those that are out of reach of one
 * program are left out. AWS has written 10 and 200 for InitiateLayerUpload at ECR Public.
 */
const QUOTAS = {
  private: { InitiateLayerUpload: 100, UploadLayerPart: 500, CompleteLayerUpload: 100, PutImage: 10 },
  public: { InitiateLayerUpload: 10, UploadLayerPart: 260, CompleteLayerUpload: 10, PutImage: 10 },
} as const satisfies Record<EcrRegistry['kind'], Record<string, number>>;

const MIB = 1024 * 1024;

/** Bytes of a layer (the same pages, "Maximum layer size": 52,000 and 10,000 MiB). */
export const LARGEST_LAYER = {
  private: 52_000 * MIB,
  public: 10_000 * MIB,
} as const satisfies Record<EcrRegistry['kind'], number>;

/** The action that a request counts as; undefined where there is no need to count it. */
function actionOf({ method, url: { pathname } }: RequestLine): keyof typeof QUOTAS.private | undefined {
  if (/\/manifests\/[^/]+$/.test(pathname)) return method === 'PUT' ? 'PutImage' : undefined;
  if (!/\/blobs\/uploads\/[^/]*$/.test(pathname)) return undefined;
  if (method === 'POST') return 'InitiateLayerUpload';
  if (method === 'PATCH') return 'UploadLayerPart';
  return method === 'PUT' ? 'CompleteLayerUpload' : undefined;
}

/** The quota that a request to a registry of AWS's counts against. */
export function quotaOf(
  kind: EcrRegistry['kind'],
  request: RequestLine,
): { readonly kind: string; readonly perSecond: number } | undefined {
  const action = actionOf(request);
  return action && { kind: action, perSecond: QUOTAS[kind][action] };
}
