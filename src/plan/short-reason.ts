import { plainText } from '../core/printable.ts';

/** A reason in one line: the first of a message of nix, with the next where it ends in a colon and says nothing without what follows. */
export function shortReason(why: string): string {
  const [first = '', next] = plainText(why).split('\n');
  return first.endsWith(':') && next !== undefined ? `${first} ${next.trim()}` : first;
}
