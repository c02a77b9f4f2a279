import { z } from 'zod';
import { canonicalJson, type Json } from '../core/canonical-json.ts';
import { decodeJson } from '../core/decode-json.ts';
import { imageNameSchema, tagSchema } from '../definition/definition.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { systemSchema } from '../oci/system.ts';
import { parseRegistryLocation } from '../storage/location.ts';
import { NO_TESTS, testRecordSchema } from '../test-run/test-run.ts';
import { callSchema } from './call.ts';

/** The annotation on the manifest's entry in a handover's `index.json`, as JSON. */
const HANDOVER_ANNOTATION = 'io.nix-images.handover';

function isRegistry(text: string): boolean {
  try {
    parseRegistryLocation(text);
    return true;
  } catch {
    return false;
  }
}

/** What a handover says about itself, beside the manifest. Nothing in it may name a place on the machine that reads it. */
const labelSchema = z
  .object({
    version: z.literal(1),
    name: imageNameSchema,
    tag: tagSchema.nullable(),
    /** What it is; a handover made before there were disks is a container image. */
    kind: z.enum(['container', 'disk']).default('container'),
    system: systemSchema,
    /** All systems the image is defined for, so that the fan-in notices when one did not arrive. */
    systems: z.array(systemSchema),
    /** Where the layers are: in this layout, or in the registry that `destination` names. */
    mode: z.enum(['artifact', 'registry']),
    destination: z.string().refine(isRegistry, 'expected a registry').nullable(),
    /** The workflow run it was made in; null on a person's machine. */
    run: z.object({ id: z.string(), attempt: z.int().positive(), job: z.string() }).nullable(),
    /** Tells the calls of one run apart (the plan's `call`); null where the build job was given none. */
    call: callSchema.nullable().default(null),
    /** What became of the image's tests; a handover made before there were any has none. */
    tests: testRecordSchema.default(NO_TESTS),
  })
  .refine(({ mode, destination }) => (mode === 'registry') === (destination !== null), {
    message: 'a destination belongs to mode registry, and to it alone',
    path: ['destination'],
  });

export type HandoverLabel = z.infer<typeof labelSchema>;

export const labelAnnotations = (label: HandoverLabel): Record<string, string> => ({
  [HANDOVER_ANNOTATION]: canonicalJson(label as unknown as Json),
});

/** The label of a layout's entry; undefined where it has none. Throws UserError `handover` when it is not valid. */
export function readLabel(entry: Descriptor, where: string): HandoverLabel | undefined {
  const text = entry.annotations?.[HANDOVER_ANNOTATION];
  if (text === undefined) return undefined;
  return decodeJson(text, labelSchema, {
    code: 'handover',
    what: `${where}: its label`,
    hint: 'Build and publish with the same version of nix-images, and run the build job again.',
  });
}
