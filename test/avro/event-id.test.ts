import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {eventIdTime, eventIdToHex, eventIdToText, hashedEventId, isUuidV7, makeEventId, parseEventId} from '../../src/avro/event-id.ts';
import {type EpochMs, epochMs} from '../../src/core/units.ts';

describe('event ids', () => {
  test('the example of RFC 9562 (A.6)', () => {
    const id = makeEventId(epochMs(0x017f22e279b0), Buffer.from('0cc318c4dc0c0c07398f', 'hex'));
    expect(eventIdToText(id)).toBe('017f22e2-79b0-7cc3-98c4-dc0c0c07398f');
    expect(eventIdTime(id)).toBe(1645557742000);
  });

  test('a made id keeps its time, is a UUIDv7 and reads back from both texts', () => {
    const instants = fc.oneof(fc.integer({min: 0, max: 2 ** 48 - 1}), fc.constantFrom(0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 48 - 1));
    fc.assert(
      fc.property(instants, fc.uint8Array({minLength: 10, maxLength: 10}), (ms, tail) => {
        const id = makeEventId(ms as EpochMs, tail);
        expect(eventIdTime(id)).toBe(ms);
        expect(isUuidV7(id)).toBe(true);
        expect(parseEventId(eventIdToText(id))).toEqual(id);
        expect(parseEventId(eventIdToHex(id).toUpperCase())).toEqual(id);
      }),
    );
  });

  test('ids of later milliseconds sort later bytewise', () => {
    fc.assert(
      fc.property(fc.integer({min: 0, max: 2 ** 47}), fc.integer({min: 1, max: 2 ** 40}), fc.uint8Array({minLength: 20, maxLength: 20}), (ms, gap, tails) => {
        const earlier = makeEventId(ms as EpochMs, tails);
        const later = makeEventId((ms + gap) as EpochMs, tails.subarray(10));
        expect(Buffer.compare(earlier, later)).toBe(-1);
      }),
    );
  });

  test('a hashed id is a function of its parts and of where they end', () => {
    const at = epochMs(1_795_251_804_001);
    expect(hashedEventId(at, ['ab', 'c'])).toEqual(hashedEventId(at, ['ab', 'c']));
    expect(hashedEventId(at, ['ab', 'c'])).not.toEqual(hashedEventId(at, ['a', 'bc']));
    expect(eventIdTime(hashedEventId(at, ['x']))).toBe(at);
  });

  test('what is no id is refused', () => {
    expect(parseEventId('')).toBeUndefined();
    expect(parseEventId('550e8400-e29b-41d4-a716-44665544000')).toBeUndefined();
    expect(() => makeEventId(-1 as EpochMs, new Uint8Array(10))).toThrow(RangeError);
    expect(() => makeEventId(epochMs(2 ** 48), new Uint8Array(10))).toThrow(RangeError);
    expect(() => makeEventId(epochMs(0), new Uint8Array(9))).toThrow('10 bytes');
  });
});
