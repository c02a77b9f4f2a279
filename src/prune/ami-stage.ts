import { TAGS } from '../ami/content.ts';
import { type AmiRecord, hasFailed } from '../aws/ec2-api.ts';
import { ageText } from '../core/age.ts';

/** How long an AMI that is to go stays in each step, in milliseconds; 0 leaves the step out. */
export interface AmiGrace {
  /** Deprecated: hidden from those who look for AMIs, and as good as before for those who know it. */
  readonly deprecated: number;
  /** Disabled: nobody can launch it, and it can be enabled again. */
  readonly disabled: number;
}

/** What is next for an AMI that the policy lets go. */
export type AmiStage =
  | { readonly kind: 'deprecate' | 'disable' | 'deregister' }
  /** Nothing yet; why. */
  | { readonly kind: 'wait'; readonly why: string };

const waiting = (what: string, since: number, grace: number): AmiStage => ({
  kind: 'wait',
  why: `${what} ${ageText(since)} ago; the next step comes after ${ageText(grace)}`,
});

/** The next step, by what the AMI is now: deprecate, then disable, then deregister. Pure. */
export function amiStage(ami: AmiRecord, grace: AmiGrace, now: number): AmiStage {
  if (hasFailed(ami)) return { kind: 'deregister' };
  if (ami.state === 'disabled') return ofDisabled(ami, grace, now);
  if (ami.state !== 'available') return { kind: 'wait', why: `it is ${ami.state}` };
  if (grace.deprecated > 0) {
    const since = ami.deprecated === undefined ? -1 : now - ami.deprecated;
    if (since < 0) return { kind: 'deprecate' };
    if (since < grace.deprecated) return waiting('deprecated', since, grace.deprecated);
  }
  return { kind: grace.disabled > 0 ? 'disable' : 'deregister' };
}

/** EC2 does not say since when; what somebody else has disabled is counted from the first run that sees it. */
function ofDisabled({ tags }: AmiRecord, { disabled }: AmiGrace, now: number): AmiStage {
  if (disabled === 0) return { kind: 'deregister' };
  const at = Date.parse(tags.get(TAGS.disabled) ?? '');
  if (Number.isNaN(at)) return { kind: 'disable' };
  return now - at < disabled ? waiting('disabled', now - at, disabled) : { kind: 'deregister' };
}
