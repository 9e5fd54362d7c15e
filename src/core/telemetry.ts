/** A logger as the pipeline sees it: past-tense event plus fields, no interpolation. */
export interface Logger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export type Labels = Readonly<Record<string, string | number>>;

/** Metrics by name (`assay_<stage>_<name>_<unit>[_total]`); labels only from closed sets. */
export interface Metrics {
  count(name: string, by?: number, labels?: Labels): void;
  gauge(name: string, value: number, labels?: Labels): void;
  observe(name: string, value: number, labels?: Labels): void;
}

const nothing = (): void => undefined;
export const SILENT_LOGGER: Logger = {debug: nothing, info: nothing, warn: nothing, error: nothing};
export const NO_METRICS: Metrics = {count: nothing, gauge: nothing, observe: nothing};
