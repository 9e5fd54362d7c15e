import type {Fault} from './fault.ts';
export const LOG_FAULTS: readonly Fault[] = [];
