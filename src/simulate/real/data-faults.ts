import type {Fault} from './fault.ts';
export const DATA_FAULTS: readonly Fault[] = [];
