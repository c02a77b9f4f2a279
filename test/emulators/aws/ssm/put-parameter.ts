import type { PutParameterRequest } from '@aws-sdk/client-ssm';
import type { CloudCall } from '../cloud/cloud-call.ts';
import { CloudError } from '../cloud/cloud-error.ts';
import { Settling } from '../cloud/settling.ts';
import { addVersion, invalidParameter, parameterKey, settleParameter } from './look-up.ts';
import type { Parameter } from './parameter.ts';

const IMAGE_TYPE = 'aws:ec2:image';

const MOST_LEVELS = 15;
const MOST_VERSIONS = 100;
/** Characters of a standard parameter. */
const LONGEST_VALUE = 4096;
/** With the account and the region in front, names fit into an ARN of 1011 characters. */
const LONGEST_NAME = 1011;
/** How long a value for images may be looked at. */
const LONGEST_CHECK = 60_000;

function checkName(name: string): void {
  if (!/^[a-zA-Z0-9_./-]+$/.test(name) || name.length > LONGEST_NAME)
    throw invalidParameter(
      'Parameter name: can\'t be prefixed with "ssm" (case-insensitive); only letters, numbers and .-_/ are allowed.',
    );
  if (name.includes('/') && !name.startsWith('/'))
    throw invalidParameter('Parameter name must be a fully qualified name.');
  if (/^\/?(?:aws|ssm)/i.test(name)) throw invalidParameter(`No access to reserved parameter name: ${name}.`);
  if (name.split('/').length - 1 > MOST_LEVELS)
    throw new CloudError('HierarchyLevelLimitExceededException', 'A hierarchy can have a maximum of 15 levels.');
}

type Put = CloudCall<PutParameterRequest>;

function newParameter({ input, caller }: Put, dataType: string): Parameter {
  const { Name = '', Type, Tags = [] } = input;
  if (Type === undefined) throw invalidParameter('A parameter type is required when you create a parameter.');
  return {
    name: Name,
    owner: caller.account,
    type: Type,
    dataType,
    tags: new Map(Tags.map(({ Key = '', Value = '' }) => [Key, Value])),
    versions: new Settling([]),
    labels: new Map(),
    lastVersion: 0,
    checked: undefined,
  };
}

function checkChange({ input }: Put, { type, dataType, labels, versions, checked }: Parameter, wanted: string): void {
  if (!input.Overwrite) {
    throw new CloudError(
      'ParameterAlreadyExists',
      'The parameter already exists. To overwrite this value, set the overwrite option in the request to true.',
    );
  }
  if (input.Tags !== undefined) throw invalidParameter("Tags and overwrite can't be used together.");
  if (input.Type !== undefined && input.Type !== type)
    throw new CloudError('HierarchyTypeMismatchException', `The type of a parameter cannot be changed.`);
  if (wanted !== dataType)
    throw invalidParameter(`The data type of a parameter cannot be changed from ${dataType} to ${wanted}.`);
  if (checked) throw new CloudError('TooManyUpdates', 'There are concurrent updates of the parameter.');
  const [oldest] = versions.value;
  if (versions.value.length >= MOST_VERSIONS && [...labels.values()].some((version) => version === oldest?.version))
    throw new CloudError('ParameterMaxVersionLimitExceeded', 'The oldest version has a label and cannot be deleted.');
}

/** Answers at once; a value for images is looked at later, and nothing says if it is dropped. */
export function putParameter(call: Put): object {
  const { input, region, caller, cloud, now } = call;
  const { Name = '', Value = '', DataType: dataType = 'text', Description } = input;
  checkName(Name);
  if (Value === '' || Value.length > LONGEST_VALUE) throw invalidParameter('The value must have 1 to 4096 characters.');
  if (!['text', IMAGE_TYPE].includes(dataType)) throw invalidParameter(`The data type ${dataType} is not supported.`);
  if (dataType === IMAGE_TYPE && (!/^ami-[0-9a-f]{8,17}$/.test(Value) || (input.Type ?? 'String') !== 'String'))
    throw invalidParameter(`The value ${Value} is not an Amazon Machine Image id of the form ami-12345abcdeEXAMPLE.`);
  const key = parameterKey(caller.account, Name);
  const known = region.parameters.get(key);
  if (known) settleParameter(call, known);
  const isThere = known !== undefined && (known.versions.value.length > 0 || known.checked !== undefined);
  if (isThere) checkChange(call, known, dataType);
  const parameter = isThere ? known : newParameter(call, dataType);
  region.parameters.set(key, parameter);
  parameter.lastVersion += 1;
  const version = { version: parameter.lastVersion, value: Value, description: Description, at: now };
  if (dataType === IMAGE_TYPE) {
    parameter.checked = { version, at: now + cloud.lag(LONGEST_CHECK) };
    settleParameter(call, parameter);
  } else {
    addVersion(call, parameter, version);
  }
  const versions = parameter.versions.value;
  if (versions.length > MOST_VERSIONS) parameter.versions.set(versions.slice(1), 0);
  return { Version: version.version, Tier: 'Standard' };
}
