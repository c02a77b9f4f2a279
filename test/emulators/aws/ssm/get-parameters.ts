import type {
  GetParameterHistoryRequest,
  GetParameterRequest,
  GetParametersByPathRequest,
  GetParametersRequest,
} from '@aws-sdk/client-ssm';
import type { CloudCall } from '../cloud/cloud-call.ts';
import { CloudError } from '../cloud/cloud-error.ts';
import { invalidParameter, missingParameter, readVersions } from './look-up.ts';
import type { Parameter, ParameterVersion } from './parameter.ts';

function describe(
  { region }: CloudCall<unknown>,
  { name, type, dataType, owner }: Parameter,
  { version, value, at }: ParameterVersion,
  selector?: string,
): object {
  return {
    Name: name,
    Type: type,
    Value: value,
    Version: version,
    LastModifiedDate: new Date(at),
    ARN: `arn:${region.partition}:ssm:${region.name}:${owner}:parameter/${name.replace(/^\//, '')}`,
    DataType: dataType,
    ...(selector === undefined ? {} : { Selector: selector }),
  };
}

/** A parameter by its name, which may say a version or a label: `/a/b:3`, `/a/b:latest`. */
function get(call: CloudCall<unknown>, asked: string): object {
  const [name = '', selector] = asked.split(':');
  const found = readVersions(call, name);
  if (found === undefined) throw missingParameter();
  const { parameter, versions } = found;
  const newest = versions.at(-1);
  const wanted = selector === undefined ? newest?.version : (parameter.labels.get(selector) ?? Number(selector));
  const version = versions.find((one) => one.version === wanted);
  if (version === undefined)
    throw new CloudError('ParameterVersionNotFound', `Systems Manager could not find version ${selector} of ${name}.`);
  return describe(call, parameter, version, selector === undefined ? undefined : `:${selector}`);
}

export const getParameter = (call: CloudCall<GetParameterRequest>): object => ({
  Parameter: get(call, call.input.Name ?? ''),
});

export function getParameters(call: CloudCall<GetParametersRequest>): object {
  const found: object[] = [];
  const missing: string[] = [];
  for (const name of call.input.Names ?? []) {
    try {
      found.push(get(call, name));
    } catch (error) {
      if (!(error instanceof CloudError)) throw error;
      missing.push(name);
    }
  }
  return { Parameters: found, ...(missing.length > 0 ? { InvalidParameters: missing } : {}) };
}

/** A page of a list by its start; further pages may be empty, with a token. */
export function pageFrom<T>(
  { cloud }: CloudCall<unknown>,
  all: readonly T[],
  { token, size }: { readonly token: string | undefined; readonly size: number },
): { readonly items: readonly T[]; readonly next: string | undefined } {
  const start = token === undefined ? 0 : Number(/^page-(\d+)$/.exec(token)?.[1] ?? Number.NaN);
  if (Number.isNaN(start)) throw new CloudError('InvalidNextToken', 'The specified token is not valid.');
  const isEmpty = token !== undefined && cloud.world.lags !== 'none' && cloud.world.random() < 1 / 3;
  const items = isEmpty ? [] : all.slice(start, start + size);
  const end = start + items.length;
  return { items, next: end < all.length ? `page-${end}` : undefined };
}

export function getParametersByPath(call: CloudCall<GetParametersByPathRequest>): object {
  const { input, region, caller } = call;
  const { Path = '', Recursive = false, MaxResults: size = 10, NextToken: token } = input;
  if (!Path.startsWith('/')) throw invalidParameter('The path must begin with a slash.');
  if ((input.ParameterFilters ?? []).length > 0) throw invalidParameter('Filters by path are not emulated.');
  const prefix = Path.endsWith('/') ? Path : `${Path}/`;
  const names = [...region.parameters.values()]
    .filter(({ owner, name }) => owner === caller.account && name.startsWith(prefix))
    .map(({ name }) => name)
    .filter((name) => Recursive || !name.slice(prefix.length).includes('/'))
    .sort();
  const { items, next } = pageFrom(call, names, { token, size });
  const found = items.map((name) => readVersions(call, name)).filter((one) => one !== undefined);
  return {
    Parameters: found.map(({ parameter, versions }) => describe(call, parameter, versions.at(-1) as ParameterVersion)),
    NextToken: next,
  };
}

export function getParameterHistory(call: CloudCall<GetParameterHistoryRequest>): object {
  const { Name = '', MaxResults: size = 50, NextToken: token } = call.input;
  const found = readVersions(call, Name);
  if (found === undefined) throw missingParameter();
  const { parameter, versions } = found;
  const { items, next } = pageFrom(call, versions, { token, size });
  const labelsOf = (version: number) =>
    [...parameter.labels].filter(([, of]) => of === version).map(([label]) => label);
  return {
    Parameters: items.map(({ version, value, at, description }) => {
      const labels = labelsOf(version);
      return {
        Name: parameter.name,
        Type: parameter.type,
        Value: value,
        Version: version,
        Description: description,
        LastModifiedDate: new Date(at),
        LastModifiedUser: call.caller.arn,
        Tier: 'Standard',
        DataType: parameter.dataType,
        ...(labels.length > 0 ? { Labels: labels } : {}),
      };
    }),
    NextToken: next,
  };
}
