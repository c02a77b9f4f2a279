import { UserError } from '../core/error.ts';

const ROLE = /^arn:(aws[a-z-]*):iam::(\d{12}):role\/[\w+=,.@/-]{1,577}$/;

/** Throws UserError `input` for what is no ARN of a role (IAM user guide, "IAM identifiers"). */
export function parseRole(text: string): string {
  if (ROLE.test(text)) return text;
  throw new UserError('input', `${JSON.stringify(text)} is not the ARN of a role`, {
    hint: 'It is arn:aws:iam::ACCOUNT:role/NAME.',
  });
}

/** The account that a role is of, and its partition: `aws`, `aws-cn`, `aws-us-gov`. */
export function homeOfRole(role: string): { readonly partition: string; readonly account: string } {
  const [, partition = 'aws', account = ''] = ROLE.exec(role) ?? [];
  return { partition, account };
}
