import { UserError } from '../core/error.ts';
import { SYSTEMS, type System } from '../oci/system.ts';

/** The system whose programs run on this machine without emulation. Throws UserError `input` where there is none. */
export function systemHere(architecture: string = process.arch): System {
  const system = { x64: SYSTEMS[0], arm64: SYSTEMS[1] }[architecture];
  if (system) return system;
  throw new UserError('input', `images are not built for this machine's architecture, ${architecture}`, {
    hint: `Choose with --system: ${SYSTEMS.join(' or ')}.`,
  });
}
