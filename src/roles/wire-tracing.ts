import type {Config} from '../config/load.ts';
import {AssayError} from '../core/errors.ts';
import type {Logger} from '../core/telemetry.ts';
import type {Tracing} from '../core/tracing.ts';
import {openOtlpTracing} from '../observe/otlp-tracing.ts';
import {VERSION} from './version.ts';

/** The collector of `tracing.otlp_url`; null while tracing is off. @throws AssayError ASSAY_CONFIG_INVALID naming the option */
export function openTracing(config: Pick<Config, 'text' | 'number'>, {role, logger}: {readonly role: string; readonly logger: Logger}): Tracing | null {
  const url = config.text('tracing.otlp_url');
  if (url === '') return null;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new AssayError('ASSAY_CONFIG_INVALID', `tracing.otlp_url must be an address such as http://127.0.0.1:4318, got ${JSON.stringify(url)}`);
  }
  const headers = headersOf(config.text('tracing.otlp_headers'));
  return openOtlpTracing({url, headers, sampleShare: config.number('tracing.sample_share'), serviceName: `assay-${role}`, version: VERSION, logger});
}

/** As OTEL_EXPORTER_OTLP_HEADERS is written. */
function headersOf(text: string): Record<string, string> {
  const parts = text.split(',').map(part => part.trim()).filter(part => part !== '');
  return Object.fromEntries(
    parts.map(part => {
      const [, name = '', value = ''] = /^([!#$%&'*+.^_`|~\w-]+)\s*=\s*([^\r\n]*)$/.exec(part) ?? [];
      if (name === '') throw new AssayError('ASSAY_CONFIG_INVALID', 'tracing.otlp_headers must be name=value, several with commas between them');
      return [name, value];
    }),
  );
}
