/** The public API: what is not named here may change without notice. */
export {type Assignment, assign, type AssignRequest, assignVariant} from './assign/assign.ts';
export {makeEventId, parseEventId} from './avro/event-id.ts';
export {encodeExposure, encodeOutcome} from './avro/released.ts';
export type {Exposure, Outcome} from './core/events.ts';
export type {ExperimentDefinition, Metric} from './core/experiment.ts';
export type {ArmEvidence, Decision, HealthEvidence, TestEvidence, Verdict} from './core/verdict.ts';
export {parseDefinition, parseDefinitionText} from './experiment/definition.ts';
export {verifyWebhook} from './notify/sign-webhook.ts';
export {runCase} from './stats/run-case.ts';
