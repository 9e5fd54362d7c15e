"""Writes test/golden/assignment.json with mmh3, so that other languages can check their own assignment.

    python3 -m venv v && v/bin/pip install mmh3 && v/bin/python test/assign/golden.py

hash   murmur3-32 (x86, seed 0) of the UTF-8 bytes of salt + ':' + unit_id, unsigned
slot   floor(hash * 10000 / 2^32)
table  [owner, length] runs over the 10000 slots; owner is an index into variants, -1 nobody
"""
import json, pathlib
import mmh3

OUT = pathlib.Path(__file__).parent.parent / 'golden' / 'assignment.json'
SALTS = ['answer-model', 'e', 'sälz', 'layer/answering', '实验', '']
UNITS = ['', 'u', 'user-1', 'user-2', 'user-10000', 'Zoë', 'Zoe\u0308', '用户-42', '👩‍🔬', 'a:b', 'user@example.com',
         '550e8400-e29b-41d4-a716-446655440000', 'ab', 'abc', 'abcd', 'abcde', 'x' * 512, '\u0000', '\ufffd', '\uffff', '𝒳']
TABLES = {
    'sixty-thirty-ten': (['v1', 'v2', 'v3'], [[0, 6000], [1, 3000], [2, 1000]]),
    'half-allocated': (['a', 'b'], [[0, 2500], [1, 2500], [-1, 5000]]),
    'after-a-move': (['v1', 'v2', 'v3'], [[2, 1000], [0, 5000], [1, 3000], [2, 1000]]),
}


def owner_of(table, slot):
    for owner, length in table:
        if slot < length:
            return owner
        slot -= length


cases = []
for salt in SALTS:
    for unit in UNITS:
        h = mmh3.hash(f'{salt}:{unit}'.encode(), 0, signed=False)
        slot = h * 10000 // 2**32
        owners = {name: owner_of(table, slot) for name, (_, table) in TABLES.items()}
        cases.append({'salt': salt, 'unit_id': unit, 'hash': h, 'slot': slot,
                      'variant': {name: None if owner < 0 else TABLES[name][0][owner] for name, owner in owners.items()}})
doc = {'spec_version': 1, 'about': __doc__.split('\n\n')[-1].strip().split('\n'),
       'tables': {name: {'variants': v, 'slots': t} for name, (v, t) in TABLES.items()}, 'cases': cases}
text = json.dumps(doc, ensure_ascii=True, indent=1)
OUT.write_text(text + '\n')
