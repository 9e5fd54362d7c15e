import type {Command} from './command.ts';
import {analyzeCommand} from './commands/analyze.ts';
import {assignCommand} from './commands/assign.ts';
import {backtestCommand} from './commands/backtest.ts';
import {deadLettersCommand} from './commands/dead-letters.ts';
import {deliveriesCommand} from './commands/deliveries.ts';
import {demoCommand} from './commands/demo.ts';
import {doctorCommand} from './commands/doctor.ts';
import {evaluateCommand} from './commands/evaluate.ts';
import {experimentsCommand} from './commands/experiments.ts';
import {forgetCommand} from './commands/forget.ts';
import {compareCommand} from './commands/compare.ts';
import {exportCommand} from './commands/export.ts';
import {importCommand} from './commands/import.ts';
import {notifyCommand} from './commands/notify.ts';
import {keysCommand} from './commands/keys.ts';
import {queryCommand} from './commands/query.ts';
import {replayCommand} from './commands/replay.ts';
import {reportCommand} from './commands/report.ts';
import {jobsCommand, serverCommand, upCommand, workerCommand} from './commands/run-roles.ts';
import {schemaCommand} from './commands/schema.ts';
import {configCommand, migrateCommand, topicsCommand} from './commands/setup.ts';
import {simulateCommand} from './commands/simulate.ts';
import {statCommand} from './commands/stat.ts';
import {verifyCommand} from './commands/verify.ts';

/** In the order a newcomer meets them. */
export const COMMANDS: readonly Command[] = [
  demoCommand,
  upCommand,
  workerCommand,
  serverCommand,
  jobsCommand,
  experimentsCommand,
  assignCommand,
  evaluateCommand,
  importCommand,
  simulateCommand,
  analyzeCommand,
  compareCommand,
  reportCommand,
  replayCommand,
  backtestCommand,
  verifyCommand,
  queryCommand,
  exportCommand,
  statCommand,
  deadLettersCommand,
  deliveriesCommand,
  notifyCommand,
  forgetCommand,
  keysCommand,
  schemaCommand,
  migrateCommand,
  topicsCommand,
  configCommand,
  doctorCommand,
];
