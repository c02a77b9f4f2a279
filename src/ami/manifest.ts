import { z } from 'zod';
import { decodeJson } from '../core/decode-json.ts';
import { digestSchema } from '../oci/digest-schema.ts';
import { systemSchema } from '../oci/system.ts';
import { parameterName } from './content.ts';
import type { Deployed } from './deploy.ts';
import type { AmiPlan } from './plan.ts';
import { SHARING_FIELDS } from './sharing.ts';

/** What a deployment has left in AWS, as a file: what later steps read, and what the live state is compared with. */

const VERSION = 1;

const sharingSchema = z.object(SHARING_FIELDS);

const amiSchema = z.object({
  image: z.string(),
  system: systemSchema,
  version: z.string(),
  region: z.string(),
  id: z.string(),
  name: z.string(),
  snapshot: z.string().nullable(),
  /** Tag of the AMI, and of its snapshots: what it holds and is registered as. */
  content: digestSchema,
  /** Identity of the disk. */
  disk: digestSchema,
  /** Parameters that point to it. */
  parameters: z.array(z.string()).readonly(),
});

const manifestSchema = z.object({
  schemaVersion: z.literal(VERSION),
  /** When it was written, in ISO 8601. */
  written: z.string(),
  run: z.string(),
  account: z.string(),
  /** Region that the disks were uploaded to. */
  home: z.string(),
  /** Who may use the AMIs. */
  sharing: sharingSchema,
  /** Whether who may use the AMIs may use their snapshots. */
  shareSnapshots: z.boolean(),
  deprecateAfterDays: z.number().nullable(),
  protection: z.enum(['off', 'on', 'with-cooldown']),
  amis: z.array(amiSchema).readonly(),
  /** Regions that may fail and did, with the reason. */
  failedRegions: z.record(z.string(), z.string()),
});

export type AmiManifest = z.output<typeof manifestSchema>;

/** What a deployment that was published has left. `now`: milliseconds since 1970. */
export function manifestOf(
  plan: AmiPlan,
  { amis, failedRegions }: Deployed,
  { run, now }: { readonly run: string; readonly now: number },
): AmiManifest {
  const { sharing, shareSnapshots, deprecateAfterDays, protection, parameters } = plan.wanted;
  const parametersOf = ({ content, region }: Deployed['amis'][number]): string[] => {
    const place = plan.places.find((one) => one.region === region && one.content === content);
    return place === undefined ? [] : parameters.map((template) => parameterName(template, place.disk, content));
  };
  return {
    schemaVersion: VERSION,
    written: new Date(now).toISOString(),
    ...{ run, account: plan.account, home: plan.home, sharing, shareSnapshots, deprecateAfterDays, protection },
    amis: amis.map(({ snapshot, content, disk, ...ami }) => ({
      ...ami,
      snapshot: snapshot ?? null,
      content: digestSchema.parse(content),
      disk: digestSchema.parse(disk),
      parameters: parametersOf({ ...ami, snapshot, content, disk }),
    })),
    failedRegions: Object.fromEntries(failedRegions),
  };
}

export const manifestText = (manifest: AmiManifest): string => `${JSON.stringify(manifest, undefined, 2)}\n`;

/** Reads a manifest. Throws UserError `input` for what is not one. */
export const readAmiManifest = (text: string, where: string): AmiManifest =>
  decodeJson(text, manifestSchema, {
    code: 'input',
    what: where,
    hint: 'Give the manifest that a deployment has left, as it is.',
  });
