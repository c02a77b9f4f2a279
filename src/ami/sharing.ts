import { z } from 'zod';
import type { Sharing } from '../aws/ec2-api.ts';

/** Who may use an AMI, as files of ours say it. */
export const SHARING_FIELDS = {
  public: z.boolean(),
  accounts: z.array(z.string()).readonly(),
  organizations: z.array(z.string()).readonly(),
  units: z.array(z.string()).readonly(),
} satisfies Readonly<Record<keyof Sharing, z.ZodType>>;

export const NOBODY: Sharing = { public: false, accounts: [], organizations: [], units: [] };

const without = (list: readonly string[], others: readonly string[]): string[] =>
  list.filter((one) => !others.includes(one));

/** What of `wanted` there is not yet in `found`. */
export const missingSharing = (wanted: Sharing, found: Sharing): Sharing => ({
  public: wanted.public && !found.public,
  accounts: without(wanted.accounts, found.accounts),
  organizations: without(wanted.organizations, found.organizations),
  units: without(wanted.units, found.units),
});

/** Whether anybody of `others` may use what is shared like this. */
export const sharesAnyOf = (found: Sharing, others: Sharing): boolean =>
  (found.public && others.public) ||
  (['accounts', 'organizations', 'units'] as const).some((kind) =>
    found[kind].some((one) => others[kind].includes(one)),
  );

/** Whether anybody but the owner is in it. */
export const isShared = ({ public: isPublic, accounts, organizations, units }: Sharing): boolean =>
  isPublic || accounts.length + organizations.length + units.length > 0;

/** Snapshots know neither organisations nor their units. */
export const ofSnapshots = ({ public: isPublic, accounts }: Sharing): Sharing => ({
  ...NOBODY,
  public: isPublic,
  accounts,
});

/** Everybody, and those that are named. */
export const whoMayUse = ({ public: isPublic, accounts, organizations, units }: Sharing): string =>
  [...(isPublic ? ['everybody'] : []), ...accounts, ...organizations, ...units].join(', ');
