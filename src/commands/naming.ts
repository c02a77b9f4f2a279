import { UserError } from '../io/error.ts';
import type { DestinationTemplate } from '../registry/destination-template.ts';

/** Throws UserError `reference` where several images would go to one place. */
export function checkTemplate({ text, hasName }: DestinationTemplate, names: readonly string[]): void {
  if (hasName || names.length < 2) return;
  throw new UserError('reference', `${names.length} images would go to ${text}: ${names.slice(0, 5).join(', ')}`, {
    hint: `Let the name of the image stand in it, for instance ${text.replace(/:[^/:]*$/, '')}/{name}.`,
  });
}
