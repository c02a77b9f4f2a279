import { expect, test } from 'vitest';
import { z } from 'zod';
import { readPages, snippetsOf } from '../support/pages.ts';
import { readTree } from '../support/source-files.ts';

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

const pages = await readPages();

/** The policies of a page. */
function policiesOf(path: string) {
  const page = pages.find((one) => one.path === path);
  return (page ? snippetsOf(page) : [])
    .filter(({ kind }) => kind === 'json iam')
    .map(({ text }) => policySchema.parse(JSON.parse(text)));
}

type Policy = z.output<typeof policySchema>;

const actionsOf = (of: readonly Policy[]): ReadonlySet<string> =>
  new Set(of.flatMap(({ Statement }) => Statement.flatMap(({ Action }) => Action)));

const policies = policiesOf('docs/aws-iam.md');
const allowed = actionsOf(policies);

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

/** What the clients for instances and for what uses AMIs ask. */
const askedLater = new Set(
  sources
    .filter(({ path }) => /\/(?:instance|lifecycle)-client\.ts$/.test(path))
    .flatMap(({ text }) => [...text.matchAll(/\bcall\(\s*'([A-Z]\w+)'/g)].map(([, verb]) => `ec2:${verb}`)),
);

/** DescribeImageReferences asks these in our name (EC2 user guide, "Identify your resources referencing specified AMIs"), and a launch tags what it makes. */
const ALONG = [
  ...['ec2:DescribeLaunchTemplateVersions', 'ec2:DescribeLaunchTemplates', 'ssm:DescribeParameters'],
  'ec2:CreateTags',
];

test('the policy for AMIs after their deployment adds what is asked then, and no more', () => {
  const [policy, ...others] = policiesOf('docs/ami-lifecycle.md');
  expect(others).toEqual([]);
  expect(askedLater.size).toBeGreaterThan(6);
  const added = actionsOf(policy ? [policy] : []);
  expect([...askedLater].filter((action) => !added.has(action) && !allowed.has(action))).toEqual([]);
  expect([...added].filter((action) => !askedLater.has(action) && !ALONG.includes(action))).toEqual([]);
  // The page's table names nothing that neither policy allows.
  const page = pages.find(({ path }) => path === 'docs/ami-lifecycle.md');
  const named = [...(page?.text.matchAll(/`((?:ec2|ssm):[A-Z]\w+)`/g) ?? [])].map(([, action = '']) => action);
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((action) => !added.has(action) && !allowed.has(action))).toEqual([]);
  // Nobody is ended but the instances of tests.
  const ending = policy?.Statement.filter(({ Action }) => Action.includes('ec2:TerminateInstances'));
  expect(ending?.map(({ Condition }) => Condition)).toEqual([
    { StringLike: { 'aws:ResourceTag/nix-images:smoke-test-until': ['*'] } },
  ]);
});
