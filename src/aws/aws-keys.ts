import { STSClient } from '@aws-sdk/client-sts';
import { clientSettings } from './client-settings.ts';
import type { AwsWorld } from './ecr-api.ts';

/**
 * Gives the keys that AWS's clients have in `world`, for what signs by itself; it keeps them until they end, or `forceRefresh` is asked for. Load it with
 * `import()`: few commands need AWS's clients.
 */
export const openKeys = (world: AwsWorld, region: string) =>
  new STSClient(clientSettings(world, 'STS', region)).config.credentials;
