import {expect, test} from 'vitest';
import {namesEtag} from '../../src/web/etag.ts';

test.each([
  ['"7"', true], ['W/"7"', true], ['"6", "7"', true], ['"6",W/"7"', true], ['*', true], [' * ', true],
  [undefined, false], ['', false], ['7', false], ['"77"', false], ['"6", "8"', false], ['"7', false],
])('If-None-Match %s names "7": %s', (header, isNamed) => {
  expect(namesEtag(header, '"7"')).toBe(isNamed);
  expect(namesEtag(header, 'W/"7"')).toBe(isNamed);
});
