import type { ErrorCode } from '../../core/error.ts';

/** Why GitHub takes a branch or a commit from nobody who has the token, whatever its permission for contents. */
interface PushRefusal {
  readonly code: ErrorCode;
  readonly hint: string;
}

/** GitHub's words to a job's or an App's token, and to a person's: "without `workflows` permission", "without `workflow` scope". */
const WORKFLOWS = /create or update workflow .*without \W?workflows? ?\W? ?(?:permission|scope)/;
const UNSIGNED = /must have verified signatures/;
const RULES = /repository rule violations|GH013/i;

const RULE_WAYS = 'leave the branch out of that rule, or let the App bypass it (Settings, Rules, Rulesets)';

/** What to do about a push that GitHub refuses for what is in it or for a rule of the repository; undefined for any other answer. */
export function pushRefusal(said: string): PushRefusal | undefined {
  if (WORKFLOWS.test(said)) {
    return {
      code: 'credentials',
      hint:
        "The branch has a workflow file that GitHub counts as changed, and a job's own token may not write those, whatever its `permissions`. " +
        'Use the token of a GitHub App with the permission Workflows: write, or of a person with the scope `workflow`.',
    };
  }
  if (UNSIGNED.test(said)) {
    return {
      code: 'github',
      hint:
        'GitHub signs the commit of an update itself, so it is the base that has commits without a signature: ' +
        `sign those, ${RULE_WAYS}.`,
    };
  }
  if (RULES.test(said)) return { code: 'github', hint: `A rule of the repository forbids it: ${RULE_WAYS}.` };
  return undefined;
}
