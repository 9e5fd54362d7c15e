import {readFileSync, statSync} from 'node:fs';
import {parse} from 'yaml';
import {AssayError, messageOf} from '../core/errors.ts';
import type {ExperimentView} from '../core/experiment.ts';
import type {Stream} from '../core/streams.ts';
import {type EpochMs, epochMs} from '../core/units.ts';
import {readDrift, readSnapshot} from '../guard/alert-queries.ts';
import type {DriftReading, ExpectedData} from '../guard/evaluate.ts';
import {alertsOfActions} from '../guard/guard-findings.ts';
import {NO_RULES, parseRuleFile, type RuleFile} from '../guard/rule-file.ts';
import {type Rule, rulesOfGuards} from '../guard/rules.ts';
import {runRules} from '../guard/run-rules.ts';
import {newestCut} from './analysis.ts';
import {currentViews} from './closing-config.ts';
import type {Notifications} from './notifications.ts';
import type {Platform} from './platform.ts';

/** After a start windows of this long ago are judged again; what was told then is known by its id. */
const CATCH_UP_MS = 3_600_000;

/** Judges the rules of the file and of the experiments' guards, and tells who should know. */
export class Alerts {
  readonly #platform: Platform;
  readonly #notifications: Notifications;
  readonly #judgedTo = new Map<string, EpochMs>();
  readonly #source: RuleSource;

  constructor(platform: Platform, notifications: Notifications) {
    this.#platform = platform;
    this.#notifications = notifications;
    this.#source = new RuleSource(platform);
  }

  async look(stream: Stream): Promise<void> {
    const {registry, warehouse} = this.#platform;
    const {rules: written, routing} = this.#source.current();
    const views = currentViews(registry, stream.name);
    const rules = [...written, ...views.flatMap(rulesOfGuards)];
    const at = await newestCut(this.#platform, stream);
    const acting = views.flatMap(alertsOfActions);
    if (rules.length + acting.length === 0 || at === null) return;
    const isLive = stream.kind === 'live';
    const since = this.#judgedTo.get(stream.name) ?? (isLive ? epochMs(Math.max(0, at - CATCH_UP_MS)) : undefined);
    const tell = (): Promise<void> => this.#notifications.tellAlerts({stream: stream.name, routing, isLive, rules: new Set([...rules.map(rule => rule.name), ...acting])});
    const judge = async (some: readonly Rule[]): Promise<void> => {
      if (some.length === 0) return;
      await runRules({
        warehouse, stream: stream.name, slideMs: stream.sliceMs, rules: some, at,
        experiments: views.map(view => view.experiment),
        expected: isLive ? expectedData(views) : [],
        ...(since === undefined ? {} : {since}),
        drifts: this.#driftReader(stream, views),
        snapshot: row => readSnapshot(warehouse, row),
      });
    };
    await judge(rules.filter(({kind}) => kind !== 'drift'));
    this.#judgedTo.set(stream.name, at);
    await tell();
    // Distributions are read from facts, which may take its time: everybody else was told by now.
    const drifting = rules.filter(({kind}) => kind === 'drift');
    if (drifting.length === 0) return;
    await judge(drifting);
    await tell();
  }

  /** A rule whose distances cannot be read is left out of this look: no reading is neither breach nor calm. */
  #driftReader(stream: Stream, views: readonly ExperimentView[]): (rule: Rule, at: EpochMs) => Promise<DriftReading[]> {
    const {warehouse, logger, metrics} = this.#platform;
    const failed = new Set<string>();
    return async (rule, at) => {
      if (failed.has(rule.name)) return [];
      try {
        return (await Promise.all(experimentsOf(rule, views).map(experiment => readDrift(warehouse, rule, {stream: stream.name, experiment, at})))).flat();
      } catch (error) {
        if (!(error instanceof AssayError) || error.kind === 'fatal') throw error;
        failed.add(rule.name);
        metrics.count('assay_alerts_drift_failures_total', 1);
        logger.warn('drift not judged', {rule: rule.name, stream: stream.name, error: messageOf(error)});
        return [];
      }
    };
  }
}

const experimentsOf = ({experiment}: Rule, views: readonly ExperimentView[]): string[] => (experiment === '*' ? views.map(view => view.experiment) : [experiment]);

/** Variants of running experiments that have a share of the traffic. */
export function expectedData(views: readonly ExperimentView[]): ExpectedData[] {
  return views
    .filter(({definition}) => definition.lifecycle === 'running')
    .map(({experiment, definition, phases}) => ({
      experiment,
      variants: definition.variants.filter(({weight}) => weight > 0).map(({key}) => key),
      since: epochMs(Math.max(0, phases.at(-1)?.validFrom ?? 0)),
    }));
}

/** The rules file, read again when it changes; a version that is wrong is reported once and the last good one stays. */
class RuleSource {
  readonly #platform: Platform;
  readonly #file: string;
  #version: string;
  #rules: RuleFile;

  constructor(platform: Platform) {
    this.#platform = platform;
    this.#file = platform.config.text('rules.file');
    this.#version = versionOf(this.#file);
    this.#rules = loadRuleFile(this.#file);
  }

  current(): RuleFile {
    const version = versionOf(this.#file);
    if (version === this.#version) return this.#rules;
    this.#version = version;
    try {
      this.#rules = loadRuleFile(this.#file);
      this.#platform.logger.info('rules read again', {file: this.#file, rules: this.#rules.rules.length});
    } catch (error) {
      this.#platform.metrics.count('assay_alerts_rule_file_errors_total', 1);
      this.#platform.logger.error('rules kept as they were: the file is wrong', {file: this.#file, error: messageOf(error)});
    }
    return this.#rules;
  }
}

/** Changes whenever the file does; '' while it is away. */
function versionOf(file: string): string {
  if (file === '') return '';
  const stat = statSync(file, {throwIfNoEntry: false});
  return stat === undefined ? '' : `${stat.mtimeMs} ${stat.size} ${stat.ino}`;
}

/** @throws AssayError ASSAY_CONFIG_INVALID naming the file and every problem. */
export function loadRuleFile(file: string): RuleFile {
  if (file === '') return NO_RULES;
  try {
    return parseRuleFile(parse(readFileSync(file, 'utf8')));
  } catch (error) {
    if (error instanceof AssayError) throw new AssayError('ASSAY_CONFIG_INVALID', `${file}: ${error.message}`, {cause: error});
    throw new AssayError('ASSAY_CONFIG_INVALID', `the rules file ${file} cannot be read (${messageOf(error)}); give a YAML file with --rules`, {cause: error});
  }
}
