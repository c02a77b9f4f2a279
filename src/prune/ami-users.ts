import type { Cloud } from '../aws/cloud.ts';
import type { AmiReference, LifecycleApi } from '../aws/lifecycle-api.ts';
import { isRefused, NO_IMAGE } from '../aws/refusal.ts';

/** Why AMIs of a region must stay, by their ids. */
export type AmiUsers = ReadonlyMap<string, string>;

/**
 * What uses AMIs of a region: instances, launch templates and parameters, and with `keepHistory` also what those parameters meant before, so many each.
 * Throws as EC2 and Systems Manager do: what may not be asked is not known to be unused.
 */
export async function amiUsers(
  cloud: Pick<Cloud, 'lifecycle' | 'ssm'>,
  region: string,
  { ids, keepHistory }: { readonly ids: readonly string[]; readonly keepHistory: number },
): Promise<AmiUsers> {
  if (ids.length === 0) return new Map();
  const references = await referencesOf(cloud.lifecycle(region), ids);
  const reasons = new Map<string, string>();
  const parameters = new Set<string>();
  for (const [id, users] of references) {
    const [first] = users;
    if (first !== undefined) reasons.set(id, `${userText(first)} in ${region} uses ${id}${moreText(users.length - 1)}`);
    for (const { type, arn } of users) if (type === 'ssm:Parameter') parameters.add(arn);
  }
  if (keepHistory === 0) return reasons;
  for (const arn of parameters) {
    const { name, values } = await historyAt(cloud, region, arn);
    const before = values.filter((value, at) => value !== values[at - 1]).slice(1, 1 + keepHistory);
    for (const id of before) if (!reasons.has(id)) reasons.set(id, `history of ${name} in ${region}`);
  }
  return reasons;
}

/** One that is gone by now must not hide the others. */
async function referencesOf(
  lifecycle: LifecycleApi,
  ids: readonly string[],
): Promise<Map<string, readonly AmiReference[]>> {
  try {
    return new Map(await lifecycle.references(ids));
  } catch (error) {
    if (!isRefused(error, ...NO_IMAGE)) throw error;
    if (ids.length === 1) return new Map();
    const found = new Map<string, readonly AmiReference[]>();
    for (const id of ids) for (const [one, users] of await referencesOf(lifecycle, [id])) found.set(one, users);
    return found;
  }
}

const KINDS: Readonly<Record<string, string>> = {
  'ec2:Instance': 'instance',
  'ec2:LaunchTemplate': 'launch template',
  'ssm:Parameter': 'parameter',
};

/** `launch template lt-1` of `arn:aws:ec2:…:launch-template/lt-1`. */
const userText = ({ type, arn }: AmiReference): string =>
  `${KINDS[type] ?? type} ${arn.slice(arn.indexOf('/') + (type === 'ssm:Parameter' ? 0 : 1))}`;

const moreText = (more: number): string => (more > 0 ? `, and ${more} more` : '');

/** Names with levels begin with a slash; of one without levels the ARN does not tell. */
async function historyAt(cloud: Pick<Cloud, 'ssm'>, region: string, arn: string) {
  const path = arn.slice(arn.indexOf(':parameter/') + ':parameter'.length);
  const names = path.lastIndexOf('/') > 0 ? [path] : [path.slice(1), path];
  for (const name of names) {
    const values = (await cloud.ssm(region).history(name)).map(({ value }) => value);
    if (values.length > 0) return { name, values };
  }
  return { name: path, values: [] };
}
