import { expect, test } from 'vitest';
import { z } from 'zod';
import { readPages, snippetsOf } from '../support/pages.ts';
import { readTree } from './source-files.ts';

const names = z.union([z.string(), z.array(z.string())]).transform((value) => [value].flat());

const policySchema = z.strictObject({
  Version: z.literal('2012-10-17'),
  Statement: z.array(
    z.strictObject({
      Sid: z.string().optional(),
      Effect: z.literal('Allow'),
      Principal: z.strictObject({ Federated: z.string() }).optional(),
      Action: names,
      Resource: names.optional(),
      Condition: z.record(z.string(), z.record(z.string(), names)).optional(),
    }),
  ),
});

const page = (await readPages()).find(({ path }) => path === 'docs/aws-iam.md');
const policies = (page ? snippetsOf(page) : [])
  .filter(({ kind }) => kind === 'json iam')
  .map(({ text }) => policySchema.parse(JSON.parse(text)));
const allowed = new Set(policies.flatMap(({ Statement }) => Statement.flatMap(({ Action }) => Action)));

const sources = (await readTree('src')).filter(({ path }) => /^src\/(?:aws|ebs)\//.test(path));

/** Names of actions in the source: `ec2:RegisterImage` as they are, and verbs that a client of one service is called by. */
function actionsIn(path: string, text: string): string[] {
  const service = /\/(ec2|ssm)-/.exec(path)?.[1];
  const verbs =
    service === undefined ? [] : [...text.matchAll(/\bcall\(\s*'([A-Z]\w+)'/g)].map(([, verb]) => `${service}:${verb}`);
  const ebs = path.endsWith('ebs-failure.ts')
    ? [...text.matchAll(/^ {2}\| '(\w+)'/gm)].map(([, verb]) => `ebs:${verb}`)
    : [];
  return [...verbs, ...ebs];
}

const asked = new Set(sources.flatMap(({ path, text }) => actionsIn(path, text)));

/** What is allowed and not asked for by that name. */
const IMPLIED = ['sts:AssumeRoleWithWebIdentity']; // the trust policy's

test('the policy allows what is asked of AWS for AMIs, and no more', () => {
  expect(policies).toHaveLength(2);
  expect(asked.size).toBeGreaterThan(25);
  expect([...asked].filter((action) => !allowed.has(action)).sort()).toEqual([]);
  expect([...allowed].filter((action) => !asked.has(action) && !IMPLIED.includes(action)).sort()).toEqual([]);
});

test('what changes AMIs is allowed for those of this project alone, and tokens of one environment', () => {
  const [trust, policy] = policies;
  const changing = policy?.Statement.find(({ Sid }) => Sid === 'ChangeWhatIsOurs');
  expect(changing?.Condition).toEqual({ StringLike: { 'aws:ResourceTag/nix-images:image': ['*'] } });
  for (const action of ['ec2:DeregisterImage', 'ec2:DeleteSnapshot', 'ec2:ModifyImageAttribute'])
    expect(policy?.Statement.filter(({ Action }) => Action.includes(action))).toEqual([changing]);
  const conditions = trust?.Statement[0]?.Condition?.StringEquals ?? {};
  expect(Object.values(conditions).flat()).toEqual([
    'sts.amazonaws.com',
    expect.stringMatching(/^repo:[^*]+:environment:\w+$/),
  ]);
});
