import { plainText } from '../core/printable.ts';
import type { CommandResult } from './command.ts';

// Control characters from 127 on, marks that are not shown, and line ends of Unicode: JSON.stringify leaves them as they are.
const UNSEEN = /[\u007f-\u009f\u2028\u2029\p{Cf}]/gu;

const escaped = (character: string): string =>
  [...Array(character.length).keys()]
    .map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`)
    .join('');

/**
 * What a command prints on standard output. Of JSON the texts are masked, not the whole, which stays JSON whatever a secret
 * is; and what a terminal would act on is escaped, which changes no value.
 */
export function renderResult(
  { data, text }: Pick<CommandResult, 'data' | 'text'>,
  json: boolean,
  mask: (text: string) => string,
): string {
  if (!json) return mask(plainText(text));
  const masked = (_key: string, value: unknown): unknown => (typeof value === 'string' ? mask(value) : value);
  return (JSON.stringify(data, masked, 2) ?? 'null').replace(UNSEEN, escaped);
}
