import { z } from 'zod';
import { decodeJson } from '../core/decode-json.ts';

/** An image of the run. */
export interface RunImage {
  readonly name: string;
  /** Where it is now, with tags: `ghcr.io/org/app:pr-7`; none where it was not published. */
  readonly references: readonly string[];
  readonly digestReferences: readonly string[];
  /** Whether it is the disk of a virtual machine, and no container image. */
  readonly isDisk: boolean;
}

const plannedSchema = z.array(z.looseObject({ name: z.string().min(1), kind: z.string().optional() }));
const publishedSchema = z.record(
  z.string(),
  z.looseObject({ references: z.array(z.string()), digestReferences: z.array(z.string()) }),
);

/**
 * The images of a run, by name, from the output `images` of `plan` and the output `json` of `publish`, either of which may be empty.
 * Throws UserError `input`.
 */
export function readRunImages(planned: string | undefined, published: string | undefined): RunImage[] {
  const hint = 'Give the outputs `images` and `json` of the workflow images.yml as they are.';
  const images = decodeJson(planned ?? '[]', plannedSchema, {
    code: 'input',
    what: 'the input images',
    hint,
    isShown: true,
  });
  const done = decodeJson(published ?? '{}', publishedSchema, {
    code: 'input',
    what: 'the input published',
    hint,
    isShown: true,
  });
  const disks = new Set(images.filter(({ kind }) => kind === 'disk').map(({ name }) => name));
  const names = new Set([...images.map(({ name }) => name), ...Object.keys(done)]);
  return [...names].sort().map((name) => {
    const { references = [], digestReferences = [] } = (Object.hasOwn(done, name) && done[name]) || {};
    return { name, references, digestReferences, isDisk: disks.has(name) };
  });
}
