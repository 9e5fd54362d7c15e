import {type EpochMs, epochMs} from '../core/units.ts';
import type {TimeColumn} from './import-map.ts';

const ISO = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?)?\s*(Z|UTC|[+-]\d{2}:?\d{2})?$/i;
const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?$/;

/**
 * A cell's time, floored to milliseconds; UTC when no zone is given. Fractions are read as
 * digits: 1695502931.539 · 1000 in floating point may fall below …539.
 * @returns null when the cell is not a time in the format.
 */
export function parseTime(cell: string, format: TimeColumn['format']): EpochMs | null {
  const text = cell.trim();
  return format === 'iso' ? parseIso(text) : parseEpoch(text, format === 'epoch_s' ? 3 : 0);
}

function parseEpoch(text: string, shift: number): EpochMs | null {
  const match = DECIMAL.exec(text);
  if (match === null) return null;
  const fraction = match[3] ?? '';
  const whole = Number((match[2] ?? '') + fraction.slice(0, shift).padEnd(shift, '0'));
  if (!Number.isSafeInteger(whole)) return null;
  const isFloored = match[1] === '-' && /[1-9]/.test(fraction.slice(shift));
  return epochMs(match[1] === '-' ? -whole - (isFloored ? 1 : 0) : whole);
}

function parseIso(text: string): EpochMs | null {
  const match = ISO.exec(text);
  if (match === null) return null;
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone = 'Z'] = match;
  const ms = Number(fraction.slice(0, 3).padEnd(3, '0'));
  const at = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second), ms);
  const back = new Date(at);
  const isReal = back.getUTCMonth() === Number(month) - 1 && back.getUTCDate() === Number(day) && Number(hour) < 24 && Number(minute) < 60 && Number(second) < 60;
  return Number.isFinite(at) && isReal ? epochMs(at - zoneMs(zone)) : null;
}

function zoneMs(zone: string): number {
  const match = /^([+-])(\d{2}):?(\d{2})$/.exec(zone);
  if (match === null) return 0;
  const ms = (Number(match[2]) * 60 + Number(match[3])) * 60_000;
  return match[1] === '-' ? -ms : ms;
}
