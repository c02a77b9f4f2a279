import { ShapeError } from './cloud-error.ts';
import { fromJson, toJson } from './json-protocol.ts';
import type { Protocol, WrittenAnswer } from './protocol.ts';
import { type ModelOperation, type ModelShape, type ServiceModel, shapeOf } from './service-model.ts';

/** `/snapshots/{snapshotId}` as a pattern with the names of its parts. */
const pathOf = (uri: string): RegExp => new RegExp(`^${uri.replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`);

/** A text of a path, query or header as the model means it. */
function fromText(model: ServiceModel, name: string, text: string): unknown {
  const { type } = shapeOf(model, name);
  if (type !== 'integer' && type !== 'long') return text;
  return /^-?\d+$/.test(text) ? Number(text) : text;
}

interface Match {
  readonly operation: string;
  readonly known: ModelOperation;
  readonly parts: Readonly<Record<string, string>>;
}

function match(model: ServiceModel, method: string, path: string): Match {
  for (const [operation, known] of Object.entries(model.operations)) {
    const found = known.http.method === method ? pathOf(known.http.requestUri).exec(path) : null;
    if (found) return { operation, known, parts: found.groups ?? {} };
  }
  throw new ShapeError(`${method} ${path} is no operation`);
}

/** Which of the members stand in a body of JSON. */
const inBody = ({ members = {}, payload }: ModelShape): readonly string[] =>
  payload === undefined ? Object.keys(members).filter((name) => members[name]?.location === undefined) : [];

/** What a member outside the body has as its text; undefined where the request does not have it. */
const sources = (parts: Readonly<Record<string, string>>, query: URLSearchParams, headers: object) =>
  ({
    uri: (name: string) => parts[name],
    querystring: (name: string) => query.get(name) ?? undefined,
    header: (name: string) => (headers as Record<string, string | undefined>)[name.toLowerCase()],
  }) as const;

/** JSON by paths, in which EBS's direct interface speaks: members stand in path, query, headers, and body. */
export const restJsonProtocol: Protocol = {
  read: (model, { request, body }) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const { operation, known, parts } = match(model, request.method ?? '', url.pathname);
    const shape = shapeOf(model, known.input?.shape ?? '');
    const from = sources(parts, url.searchParams, request.headers);
    const input: Record<string, unknown> = {};
    const names = Object.values(shape.members ?? {}).map(({ locationName }) => locationName);
    const strange = [...url.searchParams.keys()].find((name) => !names.includes(name) && name !== 'x-id');
    if (strange !== undefined) throw new ShapeError(`${operation}: ${strange} in the query`);
    for (const [name, { location, locationName = name, shape: of }] of Object.entries(shape.members ?? {})) {
      const text = location && from[location](locationName);
      if (text !== undefined) input[name] = fromText(model, of, text);
    }
    if (shape.payload !== undefined) input[shape.payload] = body;
    else if (inBody(shape).length === 0 && body.length > 0) throw new ShapeError(`${operation}: a body`);
    else if (body.length > 0)
      Object.assign(input, fromJson(model, known.input?.shape ?? '', JSON.parse(body.toString())));
    return { operation, input };
  },
  write: (model, operation, output) => {
    const known = model.operations[operation];
    const shape = shapeOf(model, known?.output?.shape ?? '');
    const values = output as Readonly<Record<string, unknown>>;
    const headers: Record<string, string> = {};
    for (const [name, { location, locationName = name }] of Object.entries(shape.members ?? {})) {
      if (location === 'header' && values[name] !== undefined) headers[locationName] = String(values[name]);
    }
    const status = known?.http.responseCode ?? 200;
    if (shape.payload !== undefined) {
      const type = { 'content-type': 'application/octet-stream' };
      return { status, headers: { ...headers, ...type }, body: (values[shape.payload] ?? '') as Buffer };
    }
    const body = Object.fromEntries(inBody(shape).map((name) => [name, values[name]]));
    return { status, headers: { ...headers, 'content-type': 'application/json' }, body: toJson(body) };
  },
  fail: (model, { code, message, reason, status }): WrittenAnswer => ({
    status: status ?? model.shapes[code]?.error?.httpStatusCode ?? 400,
    headers: { 'content-type': 'application/json', 'x-amzn-errortype': `${code}:http://internal.amazon.com/coral/` },
    body: JSON.stringify({ Message: message, ...(reason === undefined ? {} : { Reason: reason }) }),
  }),
};
