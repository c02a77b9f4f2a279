import type { Handover } from '../handover/handover.ts';
import type { Definition } from '../image/definition.ts';
import type { Digest } from '../image/digest.ts';
import type { System } from '../image/system.ts';
import { UserError } from '../io/error.ts';
import { evaluateImage, systemsOf } from '../nix/evaluate.ts';
import type { Foreign } from '../nix/foreign.ts';
import { type Installable, installableText } from '../nix/installable.ts';
import type { Nix } from '../nix/nix.ts';
import type { Repository } from '../registry/repository.ts';

interface Common {
  readonly name: string;
  readonly tag: string | null;
  readonly system: System;
  /** All systems the image is defined for. */
  readonly systems: readonly System[];
  /** Where it comes from, for messages. */
  readonly origin: string;
}

/** An image that is published already, and goes into the new index as it is. */
export interface PublishedPart extends Common {
  readonly kind: 'published';
  readonly manifest: Digest;
  readonly key: string;
  readonly repository: Repository;
}

/** One platform's image to publish: handed over by a build job, published before, or still to be built here. */
export type Part =
  | (Common & { readonly kind: 'handover'; readonly handover: Handover })
  | PublishedPart
  | (Common & { readonly kind: 'job'; readonly definition: Definition })
  | (Common & { readonly kind: 'foreign'; readonly foreign: Foreign });

export const handoverPart = (handover: Handover): Part => ({
  kind: 'handover',
  name: handover.label.name,
  tag: handover.label.tag,
  system: handover.label.system,
  systems: handover.label.systems,
  origin: handover.origin,
  handover,
});

/**
 * What is to be built of an installable: every system it is defined for, or those of `wanted`, but for the ones in
 * `handed`. Throws UserError `evaluation`, `definition` or `input` as Nix and the definition give reason to.
 */
export async function jobParts(
  nix: Nix,
  installable: Installable,
  wanted: readonly System[],
  handed: ReadonlySet<System>,
): Promise<Part[]> {
  // Whoever names systems expects these and no others, so nothing else need evaluate.
  const systems = wanted.length > 0 ? wanted : await systemsOf(nix, installable);
  const parts: Part[] = [];
  for (const system of systems) {
    if (handed.has(system)) continue;
    const evaluated = await evaluateImage(nix, installable, system);
    const common = { system, systems, origin: `${installableText(installable)} (${system})` };
    if (evaluated.kind === 'foreign') {
      const { foreign } = evaluated;
      parts.push({ ...common, kind: 'foreign', name: foreign.name, tag: foreign.tag, foreign });
    } else {
      const { definition } = evaluated;
      parts.push({ ...common, kind: 'job', name: definition.name, tag: definition.tag, definition });
    }
  }
  return parts;
}

/** The one image that all parts belong to. Throws UserError `platforms` when they are of several, or there are none. */
export function soleImage(parts: readonly Part[]): { readonly name: string; readonly tag: string | null } {
  const [first, ...others] = parts;
  if (!first) {
    throw new UserError('platforms', 'there is no image to publish', {
      hint: 'Name an installable such as .#app, or the folder of a handover with --from.',
    });
  }
  const other = others.find((part) => part.name !== first.name);
  if (!other) return first;
  throw new UserError(
    'platforms',
    `two images: ${first.name} from ${first.origin} and ${other.name} from ${other.origin}`,
    {
      hint: 'Publish one image at a time: name it (in a workflow by the input `image`), or name its handovers with --from.',
    },
  );
}
