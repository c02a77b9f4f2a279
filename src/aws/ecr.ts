import type { AwsWorld, EcrApi } from './ecr-api.ts';
import type { EcrRegistry } from './ecr-registry.ts';

/** Opens the interface of a registry of Amazon's. AWS's client is loaded here and not before: few commands need it. */
export const openEcr = async (registry: EcrRegistry, world: AwsWorld): Promise<EcrApi> =>
  registry.kind === 'public'
    ? (await import('./ecr-public.ts')).openEcrPublic(world)
    : (await import('./ecr-private.ts')).openEcrPrivate(registry, world);
