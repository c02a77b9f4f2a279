import { expect, test } from 'vitest';
import { deniedHint, readableMessage } from '../../../src/aws/failure.ts';

const NOT_AUTHORIZED = 'You are not authorized to perform this operation.';
const WHO = 'User: arn:aws:sts::123456789012:assumed-role/amis/ci is not authorized to perform: ebs:StartSnapshot';

test('a refusal says which statement to add, by the action that AWS names or else ours', () => {
  const hint = (text: string): string => deniedHint(new Error(text), 'ec2:RegisterImage');
  expect(hint(NOT_AUTHORIZED)).toContain('"Action":["ec2:RegisterImage"]');
  expect(hint(`${WHO} on resource: arn:aws:ec2:eu-central-1::snapshot/null`)).toContain(
    '"Action":["ebs:StartSnapshot"]',
  );
});

test('what a policy denies is not to be allowed by another', () => {
  const denied = `${WHO} on resource: arn:aws:ec2:eu-central-1::snapshot/null with an explicit deny in a service control policy`;
  const hint = deniedHint(new Error(denied), 'ebs:StartSnapshot');
  expect(hint).toContain('A policy denies ebs:StartSnapshot');
  expect(hint).not.toContain('Add this statement');
});

test('what EC2 says for programs stands in the hint, with the command that reads it', () => {
  const error = new Error(`${NOT_AUTHORIZED} Encoded authorization failure message: IAr7Aa4WLEQUn2rj-_x`);
  expect(readableMessage(error)).toBe('You are not authorized to perform this operation');
  expect(deniedHint(error, 'ec2:CopyImage')).toContain('--encoded-message IAr7Aa4WLEQUn2rj-_x');
  expect(readableMessage(new Error('it is so.'))).toBe('it is so.');
});
