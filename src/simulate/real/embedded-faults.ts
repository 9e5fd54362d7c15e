import type {Rng} from '../../core/rng.ts';
import type {Verdict} from './fault.ts';
import type {RealPorts} from './ground.ts';

export type EmbeddedRun = {readonly ports: RealPorts; readonly seed: number; readonly isLong: boolean; readonly rng: Rng; readonly note: (line: string) => void};

export type EmbeddedFault = {readonly name: string; readonly title: string; run(run: EmbeddedRun): Promise<Verdict>};

export const EMBEDDED_FAULTS: readonly EmbeddedFault[] = [];
