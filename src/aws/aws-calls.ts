import type { AwsWorld } from './ecr-api.ts';
import { awsFailure } from './failure.ts';

/** Calls one service of AWS's. `call` throws UserError for what AWS refuses, `callUnless` gives undefined for some of it. */
export interface AwsCalls {
  call<T>(action: string, what: string, work: () => Promise<T>): Promise<T>;
  callUnless<T>(
    isExpected: (error: unknown) => boolean,
    action: string,
    what: string,
    work: () => Promise<T>,
  ): Promise<T | undefined>;
}

/** Calls of `service`, as IAM names it: `ecr`, `ecr-public`. */
export function awsCalls(service: string, { signal }: Pick<AwsWorld, 'signal'>): AwsCalls {
  const call = async <T>(action: string, what: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw awsFailure(error, `${service}:${action}`, what, signal);
    }
  };
  return {
    call,
    callUnless: (isExpected, action, what, work) =>
      call(action, what, () =>
        work().catch((error: unknown) => {
          if (isExpected(error)) return undefined;
          throw error;
        }),
      ),
  };
}
