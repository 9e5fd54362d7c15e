import type {GuardActed, GuardPorts, GuardRequest} from './guard-look.ts';
import {runBreakers, runDriftGuards} from './run-breakers.ts';
import {runCanaries} from './run-canaries.ts';

/** One look of everything that acts: breakers first, because they are the ones in a hurry. */
export async function runGuards(ports: GuardPorts, request: GuardRequest): Promise<GuardActed[]> {
  return [...(await runBreakers(ports, request)), ...(await runDriftGuards(ports, request)), ...(await runCanaries(ports, request))];
}
