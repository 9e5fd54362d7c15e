"""Writes valid/ and invalid/ with fastavro, an implementation of Avro that Assay does not use.

    python3 -m venv v && v/bin/pip install fastavro==1.13.1 && v/bin/python schemas/samples/generate.py

A case: `hex` is the record's value; `event` what it must decode to (names and
units of the schema, event_id in hex), or `code` the dead-letter code it must get,
with words its message must hold. `append_ts`, `arrival_ts` and `max_age_ms` say
when the log took it; without them only decoding is tried.
"""
import copy, io, json, math, pathlib, struct
import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

HERE = pathlib.Path(__file__).parent
SCHEMAS = {p.name.split('.')[0]: json.loads(p.read_text()) for p in sorted(HERE.parent.glob('*.v1.avsc'))}
T = 1_795_251_804_001  # 2026-11-21T09:03:24.001Z


def header(kind):
    return b'\xc3\x01' + bytes.fromhex(fingerprint(to_parsing_canonical_form(SCHEMAS[kind]), 'CRC-64-AVRO'))


def body(kind, record):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(copy.deepcopy(SCHEMAS[kind])), record)
    return out.getvalue()


def event_id(ms, tail='7abc8def0123456789ab'):
    return ms.to_bytes(6, 'big') + bytes.fromhex(tail)


def exposure(**other):
    return {'event_id': event_id(T), 'experiment': 'answer-model', 'variant': 'v2', 'phase': 1, 'unit_id': 'user-1', 'event_ts': T,
            'config_version': 3, 'reason': 'assigned', 'item_id': None, 'session_id': None, 'sample_rate': 1.0, 'trace_id': '',
            'attributes': {}, **other}


def outcome(**other):
    return {'event_id': event_id(T), 'unit_id': 'user-1', 'event_ts': T, 'item_id': None, 'variant_hint': {},
            'measures': {'latency_ms': 812.5, 'cost_usd': 0.0031}, 'status': 'ok', 'sample_rate': 1.0, 'trace_id': '', 'attributes': {},
            **other}


def shown(record):
    return {k: v.hex() if isinstance(v, bytes) else v for k, v in record.items()}


def write(folder, name, case):
    (HERE / folder).mkdir(exist_ok=True)
    (HERE / folder / f'{name}.json').write_text(json.dumps(case, ensure_ascii=False, indent=2, allow_nan=False) + '\n')


def valid(name, kind, record):
    write('valid', name, {'title': name.replace('-', ' '), 'schema': f'{kind}.v1', 'hex': (header(kind) + body(kind, record)).hex(), 'event': shown(record)})


def invalid(name, code, words, data, **when):
    write('invalid', name, {'title': name.replace('-', ' '), 'hex': data.hex(), 'code': code, 'words': words, **when})


def checked(name, code, words, kind, record, append=T, arrival=None, max_age=30 * 86_400_000):
    invalid(name, code, words, header(kind) + body(kind, record), append_ts=append, arrival_ts=append if arrival is None else arrival, max_age_ms=max_age)


def zigzag(n):
    n = (n << 1) ^ (n >> 63)
    out = b''
    while n > 127:
        out += bytes([n & 127 | 128]); n >>= 7
    return out + bytes([n])


valid('exposure-smallest', 'exposure', exposure())
valid('exposure-all-fields', 'exposure', exposure(reason='override', item_id='q-7', session_id='s-1', sample_rate=0.25, phase=12,
      trace_id='4bf92f3577b34da6a3ce929d0e0e4736', attributes={'region': 'eu', 'model': 'gpt-5 mini', 'ключ': '值'}))
valid('exposure-fallback', 'exposure', exposure(reason='fallback'))
valid('exposure-non-ascii-unit', 'exposure', exposure(unit_id='Zoë-用户-👩‍🔬', variant='modèle-ü'))
valid('outcome-smallest', 'outcome', outcome(measures={}))
valid('outcome-measures', 'outcome', outcome(measures={'latency_ms': 812.5, 'cost_usd': 1e-9, 'delta': -3.25, 'big': 999999999999999.0, 'zero': 0.0}))
valid('outcome-paired', 'outcome', outcome(item_id='prompt-17', variant_hint={'answer-model': 'v1', 'judge': 'b'}))
for status in ('client_error', 'server_error', 'timeout'):
    valid('outcome-' + status.replace('_', '-'), 'outcome', outcome(status=status))
valid('outcome-replacement-character', 'outcome', outcome(unit_id='user-\ufffd'))
valid('tick', 'tick', {'sent_ts': T, 'owner': 'worker-1'})
# A block with a negative count carries its size in bytes: writers may use it, readers must know it.
block = header('exposure') + body('exposure', exposure())[:-1]
entries = b'\x02a\x02b' + b'\x02c\x02d'
write('valid', 'exposure-negative-block-count', {'title': 'a map block with a negative count', 'schema': 'exposure.v1',
      'hex': (block + zigzag(-2) + zigzag(len(entries)) + entries + b'\0').hex(), 'event': shown(exposure(attributes={'a': 'b', 'c': 'd'}))})
write('valid', 'exposure-two-blocks', {'title': 'a map in two blocks', 'schema': 'exposure.v1',
      'hex': (block + zigzag(1) + entries[:4] + zigzag(1) + entries[4:] + b'\0').hex(), 'event': shown(exposure(attributes={'a': 'b', 'c': 'd'}))})

good = header('exposure') + body('exposure', exposure())
good_outcome = header('outcome') + body('outcome', outcome())
invalid('empty', 'undecodable', ['empty'], b'')
invalid('not-avro', 'undecodable', ['C3 01'], b'{"experiment":"answer-model"}')
invalid('confluent-without-registry', 'undecodable', ['registry'], b'\0\0\0\0\x07' + body('exposure', exposure()))
invalid('magic-only', 'undecodable', ['fingerprint'], b'\xc3\x01\x01\x02')
invalid('unknown-fingerprint', 'unknown_schema', ['fingerprint', '0807060504030201'], b'\xc3\x01\x01\x02\x03\x04\x05\x06\x07\x08' + body('exposure', exposure()))
invalid('fingerprint-byte-order', 'unknown_schema', ['fingerprint'], b'\xc3\x01' + header('exposure')[:1:-1] + body('exposure', exposure()))
invalid('wrong-fingerprint', 'undecodable', [], header('outcome') + body('exposure', exposure()))
invalid('config-record-on-events-topic', 'unknown_schema', ['stream.v1', 'topic'], header('stream') + body('stream', {
        'name': 'a', 'kind': 'import', 'topic': 't', 'lateness_ms': 1, 'slice_ms': 1, 'max_age_ms': None, 'partitions': 1}))
invalid('truncated', 'undecodable', ['attributes'], good[:-1])
invalid('truncated-in-string', 'undecodable', ['experiment'], good[:10 + 16 + 4])
invalid('truncated-in-id', 'undecodable', ['event_id'], good[:10 + 15])
invalid('header-only', 'undecodable', ['event_id'], header('exposure'))
invalid('trailing-byte', 'undecodable', ['trailing'], good + b'\0')
invalid('two-records', 'undecodable', ['trailing'], good + good)
invalid('oversized', 'oversized', ['65536'], good_outcome + b'\0' * (65537 - len(good_outcome)))
reason_at = good.index(b'\x0cuser-1') + 7 + len(zigzag(T)) + 1
invalid('enum-index-too-large', 'undecodable', ['reason', 'symbol'], good[:reason_at] + zigzag(3) + good[reason_at + 1:])
invalid('enum-index-negative', 'undecodable', ['reason', 'symbol'], good[:reason_at] + zigzag(-1) + good[reason_at + 1:])
invalid('union-branch', 'undecodable', ['item_id', 'branch'], good[:reason_at + 1] + zigzag(2) + good[reason_at + 2:])
invalid('string-length-negative', 'undecodable', ['experiment'], good[:26] + zigzag(-4) + good[27:])
invalid('string-length-huge', 'undecodable', ['experiment'], good[:26] + zigzag(2**50) + good[27:])
invalid('block-count-huge', 'undecodable', ['attributes'], block + zigzag(2**50))
invalid('block-count-huge-negative', 'undecodable', ['attributes'], block + zigzag(-2**50) + zigzag(0))
invalid('block-size-negative', 'undecodable', ['attributes'], block + zigzag(-1) + zigzag(-1) + entries[:4] + b'\0')
invalid('long-beyond-2-52', 'undecodable', ['event_ts'], good[:reason_at - 1 - len(zigzag(T))] + zigzag(2**52) + good[reason_at - 1:])
invalid('varint-without-end', 'undecodable', ['experiment'], good[:26] + b'\xff' * 20)
invalid('not-utf8', 'undecodable', ['unit_id', 'UTF-8'], good.replace(b'user-1', b'us\xffr-1'))
invalid('proto-name', 'schema_invalid', ['attributes', '__proto__'], block + zigzag(1) + b'\x12__proto__\x02a' + b'\0')
invalid('name-twice', 'schema_invalid', ['attributes', 'twice'], block + zigzag(2) + entries[:4] * 2 + b'\0')
invalid('empty-name', 'schema_invalid', ['attributes', 'empty'], block + zigzag(1) + b'\0\x02a' + b'\0')
invalid('unit-id-too-long', 'schema_invalid', ['unit_id', '512'], header('exposure') + body('exposure', exposure(unit_id='u' * 513)))
invalid('experiment-too-long', 'schema_invalid', ['experiment', '256'], header('exposure') + body('exposure', exposure(experiment='e' * 257)))
invalid('too-many-measures', 'schema_invalid', ['measures', '64'], header('outcome') + body('outcome', outcome(measures={f'm{i}': 1.0 for i in range(65)})))
invalid('too-many-attributes', 'schema_invalid', ['attributes', '64'], header('outcome') + body('outcome', outcome(attributes={f'a{i}': '' for i in range(65)})))

for name, value in (('nan', math.nan), ('infinity', math.inf), ('minus-infinity', -math.inf), ('1e15', 1e15), ('minus-1e15', -1e15)):
    checked(f'measure-{name}', 'measure_out_of_range', ['measures["score"]'], 'outcome', outcome(measures={'fine': 1.0, 'score': value}))
checked('empty-unit', 'schema_invalid', ['unit_id', 'empty'], 'outcome', outcome(unit_id=''))
checked('empty-experiment', 'schema_invalid', ['experiment', 'empty'], 'exposure', exposure(experiment=''))
checked('empty-variant', 'schema_invalid', ['variant', 'empty'], 'exposure', exposure(variant=''))
checked('phase-zero', 'schema_invalid', ['phase'], 'exposure', exposure(phase=0))
for name, rate in (('zero', 0.0), ('above-one', 1.5), ('nan', math.nan), ('negative', -0.5)):
    checked(f'sample-rate-{name}', 'schema_invalid', ['sample_rate'], 'outcome', outcome(sample_rate=rate))
checked('id-a-day-early', 'id_time_mismatch', ['event_id', '24 h'], 'outcome', outcome(event_id=event_id(T - 86_400_001)))
checked('id-a-day-late', 'id_time_mismatch', ['event_id', '24 h'], 'outcome', outcome(event_id=event_id(T + 86_400_001)))
checked('id-not-v7', 'id_time_mismatch', ['UUIDv7'], 'outcome', outcome(event_id=bytes.fromhex('550e8400e29b41d4a716446655440000')))
checked('from-future', 'from_future', ['event_ts', '60 s'], 'outcome', outcome(), append=T - 60_001)
checked('event-ts-in-seconds', 'too_old', ['event_ts'], 'outcome', outcome(event_ts=T // 1000, event_id=event_id(T // 1000)))
checked('too-old', 'too_old', ['event_ts'], 'outcome', outcome(), append=T + 30 * 86_400_000 + 1)
checked('before-1970', 'schema_invalid', ['event_ts'], 'outcome', outcome(event_ts=-1, event_id=event_id(0)), append=0)
checked('after-2299', 'schema_invalid', ['event_ts'], 'outcome', outcome(event_ts=10_413_792_000_000, event_id=event_id(10_413_792_000_000)), max_age=None)
