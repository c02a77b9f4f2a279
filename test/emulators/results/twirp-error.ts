/** The error codes of twirp that the service uses, with their status (twirp wire protocol, "Error Codes"). */
export const TWIRP_STATUS = {
  malformed: 400,
  invalid_argument: 400,
  unauthenticated: 401,
  permission_denied: 403,
  not_found: 404,
  bad_route: 404,
  already_exists: 409,
  failed_precondition: 412,
  resource_exhausted: 429,
  internal: 500,
  unavailable: 503,
} as const;

export type TwirpCode = keyof typeof TWIRP_STATUS;

/** A refusal as twirp spells it. */
export class TwirpError extends Error {
  readonly code: TwirpCode;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: TwirpCode, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.code = code;
    this.headers = headers;
  }
}
