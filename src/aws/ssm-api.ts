/** A parameter, as it is now. */
export interface ParameterRecord {
  readonly value: string;
  readonly version: number;
  /** `text`, `aws:ec2:image`. */
  readonly dataType: string;
  readonly description?: string | undefined;
  /** When it was stored, in milliseconds since 1970. */
  readonly time?: number | undefined;
}

/** The part of Systems Manager's interface that pointers to AMIs need, in one region. Everything throws as Ec2Api does. */
export interface SsmApi {
  /** Those of the names that exist, by name. */
  parameters(names: readonly string[]): Promise<ReadonlyMap<string, ParameterRecord>>;
  /** Values that a parameter has had, the newest first. */
  history(name: string): Promise<readonly ParameterRecord[]>;
  /**
   * Stores the id of an AMI as `aws:ec2:image` and gives the version. AWS checks it afterwards: what does not pass is dropped without a
   * word, so the version has to be looked for. `description` says what is known of this version.
   */
  putImage(name: string, imageId: string, description?: string): Promise<number>;
  /** Whether it was there; one that was set a moment ago may not be there yet. */
  remove(name: string): Promise<boolean>;
}
