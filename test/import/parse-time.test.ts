import {describe, expect, test} from 'vitest';
import {parseTime} from '../../src/import/parse-time.ts';

describe('the time of a cell', () => {
  test.each([
    ['2023-11-16 18:15:46.6805900', Date.UTC(2023, 10, 16, 18, 15, 46, 680)],
    ['2023-11-16T18:15:46Z', Date.UTC(2023, 10, 16, 18, 15, 46)],
    ['2023-11-16T18:15:46.9999+02:00', Date.UTC(2023, 10, 16, 16, 15, 46, 999)],
    ['2023-11-16 18:15 -0530', Date.UTC(2023, 10, 16, 23, 45)],
    ['2023-11-16', Date.UTC(2023, 10, 16)],
    [' 2024-02-29 00:00:00,5 ', Date.UTC(2024, 1, 29, 0, 0, 0, 500)],
  ])('iso %j is UTC when no zone is given, floored to a millisecond', (cell, ms) => {
    expect(parseTime(cell, 'iso')).toBe(ms);
  });

  test.each(['', 'yesterday', '16.11.2023', '2023-02-29', '2023-13-01', '2023-11-16 24:00:00', '1700158546', '2023-11-16T18:15:46 CET'])('iso refuses %j', cell => {
    expect(parseTime(cell, 'iso')).toBeNull();
  });

  test.each([
    ['1695502931.539', 1_695_502_931_539],
    ['1695502931.5399', 1_695_502_931_539],
    ['1695502931', 1_695_502_931_000],
    ['1695502931.5', 1_695_502_931_500],
    ['0.001', 1],
    ['-0.0001', -1],
    ['-1.5', -1_500],
  ])('decimals of epoch_s %s are read as digits, never through floating point', (cell, ms) => {
    expect(parseTime(cell, 'epoch_s')).toBe(ms);
  });

  test('every millisecond of a second survives epoch_s', () => {
    for (let ms = 0; ms < 1_000; ms += 1) {
      expect(parseTime(`1695502931.${String(ms).padStart(3, '0')}`, 'epoch_s')).toBe(1_695_502_931_000 + ms);
    }
  });

  test.each(['', '1e9', 'NaN', '12.', '0x10', '99999999999999999999'])('epoch_s refuses %j', cell => {
    expect(parseTime(cell, 'epoch_s')).toBeNull();
  });

  test('epoch_ms is whole milliseconds; a fraction is floored', () => {
    expect(parseTime('1695502931539', 'epoch_ms')).toBe(1_695_502_931_539);
    expect(parseTime('1695502931539.9', 'epoch_ms')).toBe(1_695_502_931_539);
  });
});
