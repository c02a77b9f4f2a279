import type { CloudRegion } from './cloud-region.ts';
import type { CloudState } from './cloud-state.ts';
import type { Identity } from './identities.ts';

/** A request that is right in form, by somebody who may make it. */
export interface CloudCall<Input> {
  readonly input: Input;
  readonly cloud: CloudState;
  readonly region: CloudRegion;
  readonly caller: Identity;
  readonly now: number;
}

/** What answers one operation; throws CloudError. The answer has the members of the service's model. */
export type CloudHandler<Input> = (call: CloudCall<Input>) => object;

/** Handlers of a service by the names of its operations. */
export type CloudHandlers = Readonly<Record<string, CloudHandler<never>>>;
