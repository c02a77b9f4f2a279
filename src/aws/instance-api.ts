/** An instance that is to be started from an AMI, to be looked at and thrown away. */
export interface InstanceStart {
  readonly imageId: string;
  readonly type: string;
  /** A repeated request is one instance. */
  readonly clientToken: string;
  /** Undefined for the default subnet of the account's default network. */
  readonly subnet: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
}

/** An instance of this account. */
export interface InstanceRecord {
  readonly id: string;
  /** `pending`, `running`, `stopping`, `stopped`, `shutting-down`, `terminated`. */
  readonly state: string;
  /** Why it is in that state, where AWS says so. */
  readonly reason: string | undefined;
  readonly tags: ReadonlyMap<string, string>;
}

export type InstanceQuery =
  | { readonly id: string }
  | { readonly clientToken: string }
  /** All that have a tag of this name. */
  | { readonly tagged: string };

/** The part of EC2's interface by which AMIs are tried, in one region. Everything throws as Ec2Api does. */
export interface InstanceApi {
  /** Those of the types that there are in the region. */
  offered(types: readonly string[]): Promise<readonly string[]>;
  /** Gives the id. It has no key, metadata by IMDSv2 alone, and a shutdown from inside terminates it. */
  start(instance: InstanceStart): Promise<string>;
  instances(query: InstanceQuery): Promise<readonly InstanceRecord[]>;
  /** The end of what the console says, at most 64 KiB; nothing for the first minutes. */
  console(id: string): Promise<string>;
  terminate(id: string): Promise<void>;
}
