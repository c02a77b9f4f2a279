/** An error as AWS answers it: its code, and what else the answer says. */
export class CloudError extends Error {
  readonly code: string;
  /** Undefined leaves it to the service's model, then 400. */
  readonly status: number | undefined;
  /** EBS's `Reason`. */
  readonly reason: string | undefined;

  constructor(code: string, message: string, more: { readonly status?: number; readonly reason?: string } = {}) {
    super(message);
    this.code = code;
    this.status = more.status;
    this.reason = more.reason;
  }
}

/** A request that the service's model does not allow: a fault of the client, which tests look for. */
export class ShapeError extends Error {}
