import { ShapeError } from './cloud-error.ts';
import type { Protocol } from './protocol.ts';
import { type ServiceModel, shapeOf } from './service-model.ts';

/** `A.1.B=x` as a tree; a leaf is a text. */
type Tree = Map<string, Tree | string>;

function treeOf(form: URLSearchParams): Tree {
  const root: Tree = new Map();
  for (const [key, value] of form) {
    const parts = key.split('.');
    const last = parts.pop() ?? '';
    let at = root;
    for (const part of parts) {
      const next = at.get(part) ?? new Map();
      if (typeof next === 'string') throw new ShapeError(`${key}: ${part} is a value too`);
      at.set(part, next);
      at = next;
    }
    if (at.has(last)) throw new ShapeError(`${key} is there twice`);
    at.set(last, value);
  }
  return root;
}

/** How the protocols of EC2 and of the other services that take forms differ. */
interface Dialect {
  readonly nameOf: (name: string, member: { readonly locationName?: string; readonly queryName?: string }) => string;
  /** What stands between a list's name and its numbers. */
  readonly item: string | undefined;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const EC2: Dialect = {
  nameOf: (name, { queryName, locationName }) => queryName ?? capital(locationName ?? name),
  item: undefined,
};

const QUERY: Dialect = { nameOf: (name, { locationName }) => locationName ?? name, item: 'member' };

function leaf(type: string, text: string): unknown {
  switch (type) {
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'integer':
    case 'long':
      return /^-?\d+$/.test(text) ? Number(text) : text;
    case 'double':
    case 'float':
      return Number(text);
    case 'timestamp':
      return new Date(text);
    case 'blob':
      return Buffer.from(text, 'base64');
    default:
      return text;
  }
}

/** A list's items, whose numbers must go from 1 on without a hole. */
function itemsOf(tree: Tree, at: string): (Tree | string)[] {
  return Array.from({ length: tree.size }, (_, index) => {
    const item = tree.get(String(index + 1));
    if (item === undefined) throw new ShapeError(`${at}.${index + 1} is not there`);
    return item;
  });
}

function readTree(
  model: ServiceModel,
  name: string,
  node: Tree | string,
  way: { at: string; dialect: Dialect },
): unknown {
  const { at, dialect } = way;
  const shape = shapeOf(model, name);
  if (typeof node === 'string') {
    // An empty list is sent as its bare name.
    if (shape.type === 'list' && node === '') return [];
    return leaf(shape.type, node);
  }
  if (shape.type === 'list') {
    const items = dialect.item === undefined ? node : node.get(dialect.item);
    if (items === undefined || typeof items === 'string') throw new ShapeError(`${at} has no ${dialect.item}`);
    return itemsOf(items, at).map((item, index) =>
      readTree(model, shape.member?.shape ?? '', item, { at: `${at}.${index + 1}`, dialect }),
    );
  }
  if (shape.type !== 'structure') throw new ShapeError(`${at} has parts, and is of type ${shape.type}`);
  const names = new Map(
    Object.entries(shape.members ?? {}).map(([key, one]) => [dialect.nameOf(key, one), { key, one }]),
  );
  return Object.fromEntries(
    [...node].map(([part, child]) => {
      const found = names.get(part);
      if (found === undefined) throw new ShapeError(`${at}.${part} is not in the model`);
      return [found.key, readTree(model, found.one.shape, child, { at: `${at}.${part}`, dialect })];
    }),
  );
}

const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

function xmlOf(model: ServiceModel, name: string, value: unknown): string {
  const shape = shapeOf(model, name);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) {
    const tag = shape.member?.locationName ?? 'member';
    return value.map((item) => `<${tag}>${xmlOf(model, shape.member?.shape ?? '', item)}</${tag}>`).join('');
  }
  if (shape.type !== 'structure') return escapeXml(String(value));
  return Object.entries(value as object)
    .filter(([, one]) => one !== undefined)
    .map(([key, one]) => {
      const { shape: of = '', locationName = key } = shape.members?.[key] ?? {};
      return `<${locationName}>${xmlOf(model, of, one)}</${locationName}>`;
    })
    .join('');
}

const XML = { 'content-type': 'text/xml;charset=UTF-8' };

function read(dialect: Dialect): Protocol['read'] {
  return (model, { request, body }) => {
    if (request.method !== 'POST' || request.url !== '/') throw new ShapeError(`${request.method} ${request.url}`);
    if (!/^application\/x-www-form-urlencoded(?:; charset=utf-8)?$/.test(request.headers['content-type'] ?? ''))
      throw new ShapeError(`Content-Type ${request.headers['content-type']}`);
    const form = new URLSearchParams(body.toString('utf8'));
    const [operation = '', version] = [form.get('Action') ?? '', form.get('Version')];
    form.delete('Action');
    form.delete('Version');
    const known = model.operations[operation];
    if (known === undefined || version !== model.metadata.apiVersion)
      throw new ShapeError(`Action ${operation}, Version ${version}`);
    if (known.input === undefined) return { operation, input: {} };
    const input = readTree(model, known.input.shape, treeOf(form), { at: operation, dialect });
    return { operation, input: input as Record<string, unknown> };
  };
}

const content = (model: ServiceModel, operation: string, output: object): string => {
  const shape = model.operations[operation]?.output?.shape;
  return shape === undefined ? '' : xmlOf(model, shape, output);
};

/** EC2's protocol: forms in, XML out. */
export const ec2Protocol: Protocol = {
  read: read(EC2),
  write: (model, operation, output) => ({
    status: 200,
    headers: XML,
    body:
      `<?xml version="1.0" encoding="UTF-8"?>\n<${operation}Response xmlns="${model.metadata.xmlNamespace}/">` +
      `<requestId>emulated</requestId>${
        model.operations[operation]?.output ? content(model, operation, output) : '<return>true</return>'
      }</${operation}Response>`,
  }),
  fail: (_model, { code, message, status = 400 }) => ({
    status,
    headers: XML,
    body:
      `<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>${code}</Code>` +
      `<Message>${escapeXml(message)}</Message></Error></Errors><RequestID>emulated</RequestID></Response>`,
  }),
};

/** The protocol of STS: forms in, XML out, with lists and answers that are wrapped. */
export const queryProtocol: Protocol = {
  read: read(QUERY),
  write: (model, operation, output) => ({
    status: 200,
    headers: XML,
    body:
      `<${operation}Response xmlns="${model.metadata.xmlNamespace}"><${operation}Result>` +
      `${content(model, operation, output)}</${operation}Result>` +
      `<ResponseMetadata><RequestId>emulated</RequestId></ResponseMetadata></${operation}Response>`,
  }),
  fail: (model, { code, message, status = 400 }) => ({
    status,
    headers: XML,
    body:
      `<ErrorResponse xmlns="${model.metadata.xmlNamespace}"><Error><Type>Sender</Type><Code>${code}</Code>` +
      `<Message>${escapeXml(message)}</Message></Error><RequestId>emulated</RequestId></ErrorResponse>`,
  }),
};
