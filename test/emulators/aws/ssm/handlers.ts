import type {
  AddTagsToResourceRequest,
  DeleteParameterRequest,
  DeleteParametersRequest,
  LabelParameterVersionRequest,
  ListTagsForResourceRequest,
  RemoveTagsFromResourceRequest,
} from '@aws-sdk/client-ssm';
import type { CloudCall, CloudHandlers } from '../cloud/cloud-call.ts';
import { CloudError } from '../cloud/cloud-error.ts';
import { getParameter, getParameterHistory, getParameters, getParametersByPath } from './get-parameters.ts';
import { missingParameter, parameterKey, readVersions } from './look-up.ts';
import type { Parameter } from './parameter.ts';
import { putParameter } from './put-parameter.ts';

const MOST_TAGS = 50;
const MOST_LABELS = 10;

function remove(call: CloudCall<unknown>, name: string): boolean {
  return (
    readVersions(call, name) !== undefined && call.region.parameters.delete(parameterKey(call.caller.account, name))
  );
}

function deleteParameter(call: CloudCall<DeleteParameterRequest>): object {
  if (!remove(call, call.input.Name ?? '')) throw missingParameter();
  return {};
}

function deleteParameters(call: CloudCall<DeleteParametersRequest>): object {
  const names = call.input.Names ?? [];
  const deleted = names.filter((name) => remove(call, name));
  const missing = names.filter((name) => !deleted.includes(name));
  return {
    ...(deleted.length > 0 ? { DeletedParameters: deleted } : {}),
    ...(missing.length > 0 ? { InvalidParameters: missing } : {}),
  };
}

/** A label is at one version; the next ones move it there. */
function labelParameterVersion(call: CloudCall<LabelParameterVersionRequest>): object {
  const { Name = '', ParameterVersion, Labels = [] } = call.input;
  const found = readVersions(call, Name);
  if (found === undefined) throw missingParameter();
  const { parameter, versions } = found;
  const version = ParameterVersion ?? versions.at(-1)?.version;
  if (version === undefined || !versions.some((one) => one.version === version))
    throw new CloudError('ParameterVersionNotFound', `There is no version ${version} of ${Name}.`);
  const invalid = Labels.filter((label) => !/^[a-zA-Z_.-][a-zA-Z0-9_.-]*$/.test(label) || /^(?:aws|ssm)/i.test(label));
  const good = Labels.filter((label) => !invalid.includes(label));
  const before = [...parameter.labels].filter(([label, of]) => of === version && !good.includes(label));
  if (before.length + good.length > MOST_LABELS)
    throw new CloudError('ParameterVersionLabelLimitExceeded', 'A version can have at most 10 labels.');
  for (const label of good) parameter.labels.set(label, version);
  return { ParameterVersion: version, ...(invalid.length > 0 ? { InvalidLabels: invalid } : {}) };
}

type Tagged = { readonly ResourceType?: string | undefined; readonly ResourceId?: string | undefined };

function tagged(call: CloudCall<Tagged>): Parameter {
  const { ResourceType, ResourceId = '' } = call.input;
  if (ResourceType !== 'Parameter') throw new CloudError('InvalidResourceType', 'Only parameters are emulated.');
  const found = readVersions(call, ResourceId);
  if (found === undefined) throw new CloudError('InvalidResourceId', `There is no parameter ${ResourceId}.`);
  return found.parameter;
}

function addTagsToResource(call: CloudCall<AddTagsToResourceRequest>): object {
  const { tags } = tagged(call as CloudCall<Tagged>);
  const all = new Map([...tags, ...(call.input.Tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value] as const)]);
  if (all.size > MOST_TAGS) throw new CloudError('TooManyTagsError', 'A parameter can have at most 50 tags.');
  for (const [key, value] of all) tags.set(key, value);
  return {};
}

function removeTagsFromResource(call: CloudCall<RemoveTagsFromResourceRequest>): object {
  const { tags } = tagged(call as CloudCall<Tagged>);
  for (const key of call.input.TagKeys ?? []) tags.delete(key);
  return {};
}

const listTagsForResource = (call: CloudCall<ListTagsForResourceRequest>): object => ({
  TagList: [...tagged(call as CloudCall<Tagged>).tags].map(([Key, Value]) => ({ Key, Value })),
});

/** Systems Manager, as far as parameters point to images. */
export const SSM_HANDLERS: CloudHandlers = {
  PutParameter: putParameter,
  GetParameter: getParameter,
  GetParameters: getParameters,
  GetParametersByPath: getParametersByPath,
  GetParameterHistory: getParameterHistory,
  DeleteParameter: deleteParameter,
  DeleteParameters: deleteParameters,
  LabelParameterVersion: labelParameterVersion,
  AddTagsToResource: addTagsToResource,
  RemoveTagsFromResource: removeTagsFromResource,
  ListTagsForResource: listTagsForResource,
};
