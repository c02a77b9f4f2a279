import type { CloudCall } from '../cloud/cloud-call.ts';
import { CloudError } from '../cloud/cloud-error.ts';
import { imageState } from '../ec2/image.ts';
import { maySee } from '../ec2/look-up.ts';
import type { Parameter, ParameterVersion } from './parameter.ts';

export const invalidParameter = (message: string): CloudError => new CloudError('ValidationException', message);

export const missingParameter = (): CloudError => new CloudError('ParameterNotFound', '');

/** A value for images is looked at by then, and is not there if it names none that the caller may see. */
function isImage({ region, caller, now }: CloudCall<unknown>, id: string): boolean {
  const image = region.images.get(id);
  if (image === undefined || image.gone || caller.denied.has('ec2:DescribeImages')) return false;
  return maySee(image, caller) && imageState(image, now) === 'available';
}

/** Applies or drops a value that waits to be looked at, once its time has come. */
export function settleParameter(call: CloudCall<unknown>, parameter: Parameter): void {
  const { checked } = parameter;
  if (checked === undefined || call.now < checked.at) return;
  parameter.checked = undefined;
  if (isImage(call, checked.version.value)) addVersion(call, parameter, checked.version);
}

/** How long reads may show what was before (bottlerocket-os/twoliter 347). */
const LONGEST_STALE = 10_000;

export function addVersion({ cloud, now }: CloudCall<unknown>, parameter: Parameter, version: ParameterVersion): void {
  parameter.versions.set([...parameter.versions.value, version], now + cloud.lag(LONGEST_STALE));
}

export const parameterKey = (account: string, name: string): string => `${account} ${name}`;

/** The versions of a parameter as a read shows them; undefined for one that is not there. */
export function readVersions(
  call: CloudCall<unknown>,
  name: string,
): { readonly parameter: Parameter; readonly versions: readonly ParameterVersion[] } | undefined {
  const { region, caller, cloud, now } = call;
  const parameter = region.parameters.get(parameterKey(caller.account, name));
  if (parameter === undefined) return undefined;
  settleParameter(call, parameter);
  const versions = parameter.versions.read(now, cloud.world.random());
  return versions.length === 0 ? undefined : { parameter, versions };
}
