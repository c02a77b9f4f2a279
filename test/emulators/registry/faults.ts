/** What an emulated registry does wrong, once a request matches. */
export type FaultKind =
  /** Answers without looking at the request. */
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body?: string;
    }
  /** Answers before the body came, and ends the connection: what proxies do with what is too large. */
  | { readonly kind: 'early-status'; readonly status: number }
  /** Reads so many bytes of the request's body, then ends the connection; what was read is kept or lost. */
  | { readonly kind: 'cut-upload'; readonly after: number; readonly keep: boolean }
  /** Reads so many bytes of a PATCH's body, then answers and ends the connection. */
  | { readonly kind: 'mid-status'; readonly after: number; readonly status: number }
  /** Sends so many bytes of the body, then ends the connection. */
  | { readonly kind: 'cut-download'; readonly after: number }
  /** Does what was asked and ends the connection without an answer. */
  | { readonly kind: 'lose-answer' }
  | { readonly kind: 'slow'; readonly milliseconds: number }
  /** Takes the request and never says anything. */
  | { readonly kind: 'silent' }
  /** Sends the answer's body byte by byte, so many milliseconds apart. */
  | { readonly kind: 'trickle'; readonly milliseconds: number }
  /** Says another digest in Docker-Content-Digest. */
  | { readonly kind: 'wrong-digest' }
  /** Changes the body's last byte. */
  | { readonly kind: 'corrupt' }
  /** Leaves Location out. */
  | { readonly kind: 'no-location' }
  /** Redirects, as registries do that keep blobs elsewhere. */
  | { readonly kind: 'redirect'; readonly to: string; readonly status?: number }
  /** Forgets every token that was given out. */
  | { readonly kind: 'revoke-tokens' }
  /** Forgets every open upload. */
  | { readonly kind: 'forget-uploads' }
  /** Does not know ranges: answers 200 and everything. */
  | { readonly kind: 'ignore-range' };

export type Fault = FaultKind & {
  readonly method: string;
  /** Matched against the path, without query. */
  readonly path: RegExp;
  /** How many requests it hits; one unless said otherwise. */
  readonly times?: number;
  /** How many matching requests go well before. */
  readonly skip?: number;
};

/** The faults that are still to come. */
export class FaultPlan {
  #faults: { readonly fault: Fault; skip: number; times: number }[] = [];

  add(fault: Fault): void {
    this.#faults.push({ fault, skip: fault.skip ?? 0, times: fault.times ?? 1 });
  }

  /** What was wrong is mended: no fault is still to come. */
  clear(): void {
    this.#faults = [];
  }

  /** The fault for a request, if there is one; using it counts. */
  take(method: string, path: string): Fault | undefined {
    for (const entry of this.#faults) {
      if (entry.fault.method !== method || !entry.fault.path.test(path)) continue;
      if (entry.skip > 0) entry.skip -= 1;
      else if (entry.times > 0) {
        entry.times -= 1;
        return entry.fault;
      }
    }
    return undefined;
  }
}
