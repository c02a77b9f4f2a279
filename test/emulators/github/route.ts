import type { paths } from '@octokit/openapi-types';
import type { Need } from './permissions.ts';

type Verb = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** The answers that GitHub's description lists for an operation, as status and body. */
type AnswerOf<Operation> = Operation extends { responses: infer Responses }
  ? { [Status in keyof Responses]: Answer<Status, Responses[Status]> }[keyof Responses]
  : never;

type Answer<Status, Response> = Response extends { content: infer Content }
  ? [Content] extends [never]
    ? { readonly status: Status; readonly body?: undefined }
    : { readonly status: Status; readonly body: Content[keyof Content] }
  : { readonly status: Status; readonly body?: undefined };

type ParameterOf<Operation> = Operation extends { parameters: { query?: infer Query } }
  ? Extract<keyof NonNullable<Query>, string>
  : never;

/** A request whose path fits a route. */
export interface RouteCall<Query extends string = string> {
  /** The parts of the path in braces. */
  readonly path: (name: string) => string;
  readonly query: (name: Query) => string | undefined;
  readonly body: unknown;
  /** The bytes of a body that is not JSON. */
  readonly bytes: Buffer;
}

export interface Route {
  readonly verb: Verb;
  readonly template: string;
  /** Undefined where the route itself looks, as that of GraphQL, whose operations need this or that. */
  readonly need: Need | undefined;
  /** Parameters that the operation knows; others are refused, for nothing here sends them on purpose. */
  readonly parameters: readonly string[];
  readonly run: (call: RouteCall<never>) => { readonly status: PropertyKey; readonly body?: unknown };
  /** Whether it is at the host for uploads alone. */
  readonly isUpload?: boolean;
}

type Operation<Path extends keyof paths, Method extends Verb> = paths[Path] extends { [M in Method]: infer Found }
  ? Found
  : never;

/** A route of GitHub's description: tsc holds its path, parameters and answers to `@octokit/openapi-types`. */
export const route = <Path extends keyof paths, Method extends Verb>(
  verb: Method,
  template: Path,
  rest: {
    readonly need: Need;
    readonly parameters: readonly ParameterOf<Operation<Path, Method>>[];
    readonly run: (call: RouteCall<ParameterOf<Operation<Path, Method>>>) => AnswerOf<Operation<Path, Method>>;
    readonly isUpload?: boolean;
  },
): Route => ({ verb, template, ...rest });
