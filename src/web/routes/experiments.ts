import {z} from 'zod';
import {
  type ChangeOf, changeLifecycle, createExperiment, LIFECYCLE_STEPS, requireCurrent, setWeights, updateExperiment,
} from '../../experiment/change-experiment.ts';
import {type ParsedDefinition, parseDefinitionText} from '../../experiment/definition.ts';
import {documentJsonSchema} from '../../experiment/document-schema.ts';
import {currentVersions, historyOf, type StoredVersion} from '../../experiment/state.ts';
import {toDocument} from '../../experiment/to-document.ts';
import type {ExperimentDefinition} from '../../core/experiment.ts';
import {LIVE_STREAM} from '../../core/streams.ts';
import {namesEtag} from '../etag.ts';
import type {Backend} from '../backend.ts';
import {ProblemError} from '../problem.ts';
import {type Call, fromCursor, json, paging, type Route, route, toCursor} from '../route.ts';
import {type ExperimentSummary, readSummaries, SUMMARY} from '../summaries.ts';

const VERSION = z.object({
  stream: z.string(), experiment: z.string(), version: z.number().int(), phase: z.number().int(), lifecycle: z.string(),
  valid_from: z.string().nullable(), author: z.string(), reason: z.string(), weights: z.record(z.string(), z.number()),
});
const LISTED = VERSION.extend({design: z.string(), owner: z.string(), hypothesis: z.string(), control: z.string(), results: SUMMARY.nullable()});
const FULL = VERSION.extend({definition: z.record(z.string(), z.unknown())});
const stream = z.string().max(200).optional().describe('Default: live, or the only stream there is.');
const reason = z.string().trim().min(1, 'say why: every version keeps its reason').max(2_000);
const expected = z.number().int().positive().optional().describe('The version that was looked at; a newer one refuses the change. Also as If-Match.');

export function experimentRoutes(backend: Backend): Route[] {
  return [...readingRoutes(backend), ...changeRoutes(backend), ...stepRoutes(backend)];
}

function readingRoutes(backend: Backend): Route[] {
  const {registry} = backend;
  return [
    route({
      method: 'GET',
      path: '/v1/experiments',
      permission: 'read',
      tag: 'experiments',
      summary: 'Every experiment with its newest decision, health and traffic, by name.',
      query: z.object({stream, lifecycle: z.enum(['draft', 'running', 'paused', 'concluded', 'archived']).optional(), ...paging(1_000, 500)}),
      answers: {200: {describe: 'A page.', schema: z.object({stream: z.string(), experiments: z.array(LISTED), next_cursor: z.string().nullable()})}},
      handle: async ({query}) => {
        const {name} = await backend.stream(query.stream);
        const after = fromCursor(query.cursor, z.string()) ?? '';
        const versions = currentVersions(registry.snapshot(), name)
          .filter(({experiment, definition}) => experiment > after && (query.lifecycle === undefined || definition.lifecycle === query.lifecycle))
          .sort((a, b) => (a.experiment < b.experiment ? -1 : 1));
        const page = versions.slice(0, query.limit);
        const summaries = page.length === 0 ? new Map<string, ExperimentSummary>() : await readSummaries(backend, name);
        const experiments = page.map(version => listedOf(version, summaries.get(version.experiment) ?? null));
        return json({stream: name, experiments, next_cursor: versions.length > page.length ? toCursor(page.at(-1)?.experiment) : null});
      },
    }),
    route({
      method: 'GET',
      path: '/v1/experiments/:experiment',
      permission: 'read',
      tag: 'experiments',
      summary: 'The current version with its whole definition; the ETag is its number.',
      query: z.object({stream}),
      answers: {200: {describe: 'The version.', schema: FULL}, 304: {describe: 'If-None-Match names the current version.'}},
      handle: async ({params, query, headers}) => {
        const experiment = params['experiment'] ?? '';
        const version = requireCurrent(registry, (await backend.stream(query.stream, experiment)).name, experiment);
        const etag = `"${version.version}"`;
        if (namesEtag(headers['if-none-match'], etag)) return {status: 304, headers: {etag}, body: null};
        return json(fullOf(version), {headers: {etag}});
      },
    }),
    route({
      method: 'GET',
      path: '/v1/experiments/:experiment/versions',
      permission: 'read',
      tag: 'experiments',
      summary: 'Every version, newest first: who changed it, when and why.',
      query: z.object({stream, ...paging(500, 100)}),
      answers: {200: {describe: 'A page.', schema: z.object({versions: z.array(FULL), next_cursor: z.string().nullable()})}},
      handle: async ({params, query}) => {
        const experiment = params['experiment'] ?? '';
        const {name} = await backend.stream(query.stream, experiment);
        requireCurrent(registry, name, experiment);
        const below = fromCursor(query.cursor, z.number()) ?? Number.POSITIVE_INFINITY;
        const all = historyOf(registry.snapshot(), name, experiment).filter(({version}) => version < below).reverse();
        const page = all.slice(0, query.limit);
        return json({versions: page.map(fullOf), next_cursor: all.length > page.length ? toCursor(page.at(-1)?.version) : null});
      },
    }),
    route({
      method: 'GET',
      path: '/v1/experiment.schema.json',
      permission: 'read',
      tag: 'experiments',
      summary: 'JSON Schema of a definition.',
      answers: {200: {describe: 'Draft 2020-12.', type: 'application/schema+json'}},
      handle: () => json(documentJsonSchema(), {type: 'application/schema+json'}),
    }),
  ];
}

const DEFINITION_BODY = z.object({
  definition: z.union([z.record(z.string(), z.unknown()), z.string()]).describe('As in `/v1/experiment.schema.json`, or the same as YAML text.'),
  reason,
  expected_version: expected,
  stream,
});

function changeRoutes(backend: Backend): Route[] {
  const {registry} = backend;
  return [
    route({
      method: 'POST',
      path: '/v1/experiments/validate',
      permission: 'read',
      tag: 'experiments',
      summary: 'Checks a definition without storing it.',
      body: z.object({definition: DEFINITION_BODY.shape.definition}),
      answers: {200: {describe: 'What is wrong with it.', schema: z.object({valid: z.boolean(), problems: z.array(z.object({path: z.string(), message: z.string()}))})}},
      handle: ({body}) => {
        const parsed = parse(body.definition);
        return json({valid: parsed.ok, problems: parsed.ok ? [] : parsed.problems});
      },
    }),
    route({
      method: 'POST',
      path: '/v1/experiments',
      permission: 'change',
      tag: 'experiments',
      summary: 'A first version.',
      body: DEFINITION_BODY.omit({expected_version: true}).extend({stream: z.string().max(200).default(LIVE_STREAM)}),
      isAudited: true,
      answers: {201: {describe: 'The version it became.', schema: FULL}, 409: {describe: 'There is one of that name.'}},
      handle: async call => {
        const {body} = call;
        call.note(body.reason);
        const {name} = await backend.stream(body.stream);
        const change = {...changeBase(call), stream: name, ...(await backend.validFrom(name))};
        const version = await createExperiment(registry, requireSound(parse(body.definition)), change);
        return json(fullOf(version), {status: 201, headers: {location: `/v1/experiments/${encodeURIComponent(version.experiment)}`, etag: `"${version.version}"`}});
      },
    }),
    route({
      method: 'PUT',
      path: '/v1/experiments/:experiment',
      permission: 'change',
      tag: 'experiments',
      summary: 'Another definition under the same name. Its lifecycle stays: that changes by the steps alone.',
      body: DEFINITION_BODY,
      isAudited: true,
      answers: {200: {describe: 'The version it became.', schema: FULL}, 409: {describe: 'Somebody was faster.'}},
      handle: async call => {
        const definition = requireSound(parse(call.body.definition));
        const change = await changeOf(backend, call);
        if (definition.experiment !== change.experiment) {
          throw new ProblemError({status: 400, title: 'The body is wrong', detail: `definition.experiment: is ${JSON.stringify(definition.experiment)}, the address names ${JSON.stringify(change.experiment)}; a name never changes`});
        }
        return changed(await updateExperiment(registry, definition, change));
      },
    }),
    route({
      method: 'POST',
      path: '/v1/experiments/:experiment/weights',
      permission: 'change',
      tag: 'experiments',
      summary: 'New weights for variants there are; as few units as possible move.',
      body: z.object({weights: z.record(z.string(), z.number().min(0).max(1e9)), reason, expected_version: expected, stream}),
      isAudited: true,
      answers: {200: {describe: 'The version it became, and the share of units that moved.', schema: FULL.extend({moved_share: z.number()})}, 409: {describe: 'Somebody was faster.'}},
      handle: async call => {
        const weights = Object.entries(call.body.weights).map(([key, weight]) => ({key, weight}));
        const {version, movedShare} = await setWeights(registry, weights, await changeOf(backend, call));
        return json({...fullOf(version), moved_share: movedShare}, {headers: {etag: `"${version.version}"`}});
      },
    }),
  ];
}

const stepRoutes = (backend: Backend): Route[] =>
  LIFECYCLE_STEPS.map(step =>
    route({
      method: 'POST',
      path: `/v1/experiments/:experiment/${step}`,
      permission: 'change',
      tag: 'experiments',
      summary: `${step[0]?.toUpperCase()}${step.slice(1)} it.`,
      body: z.object({reason, expected_version: expected, stream}),
      isAudited: true,
      answers: {200: {describe: 'The version it became.', schema: FULL}, 400: {describe: 'Its lifecycle does not lead there.'}, 409: {describe: 'Somebody was faster.'}},
      handle: async call => changed(await changeLifecycle(backend.registry, step, await changeOf(backend, call))),
    }),
  );

type ChangeBody = {readonly reason: string; readonly expected_version?: number | undefined; readonly stream?: string | undefined};

const changeBase = ({caller, body}: Call<unknown, {readonly reason: string}>) => ({author: caller.name, reason: body.reason});

async function changeOf(backend: Backend, call: Call<unknown, ChangeBody>): Promise<ChangeOf> {
  const {body, headers, params} = call;
  call.note(body.reason);
  const matched = /^"(\d+)"$/.exec(headers['if-match'] ?? '')?.[1];
  if (headers['if-match'] !== undefined && headers['if-match'] !== '*' && matched === undefined) {
    throw new ProblemError({status: 400, title: 'The request is wrong', detail: 'If-Match: send the ETag of the version you looked at, like "3"'});
  }
  const expectedVersion = body.expected_version ?? (matched === undefined ? undefined : Number(matched));
  const experiment = params['experiment'] ?? '';
  const {name} = await backend.stream(body.stream, experiment);
  return {
    ...changeBase(call),
    stream: name,
    experiment,
    ...(await backend.validFrom(name)),
    ...(expectedVersion === undefined ? {} : {expectedVersion}),
  };
}

const parse = (definition: string | Record<string, unknown>): ParsedDefinition =>
  parseDefinitionText(typeof definition === 'string' ? definition : JSON.stringify(definition));

function requireSound(parsed: ParsedDefinition): ExperimentDefinition {
  if (parsed.ok) return parsed.definition;
  const errors = parsed.problems.map(({path, message}) => ({field: path === '' ? 'definition' : `definition.${path}`, message}));
  const detail = errors.map(({field, message}) => `${field}: ${message}`).join('; ');
  throw new ProblemError({status: 400, title: 'The experiment is wrong', detail, code: 'ASSAY_EXPERIMENT_INVALID', errors});
}

const changed = (version: StoredVersion) => json(fullOf(version), {headers: {etag: `"${version.version}"`}});

const versionOf = (version: StoredVersion): z.infer<typeof VERSION> => ({
  stream: version.stream,
  experiment: version.experiment,
  version: version.version,
  phase: version.phase,
  lifecycle: version.definition.lifecycle,
  valid_from: version.validFrom === 0 ? null : new Date(version.validFrom).toISOString(),
  author: version.author,
  reason: version.reason,
  weights: version.definition.hasWeights ? Object.fromEntries(version.definition.variants.map(({key, weight}) => [key, weight])) : {},
});

const fullOf = (version: StoredVersion) => ({...versionOf(version), definition: toDocument(version.definition)});

function listedOf(version: StoredVersion, results: ExperimentSummary | null): z.infer<typeof LISTED> {
  const {design, owner, hypothesis, control} = version.definition;
  return {...versionOf(version), design, owner, hypothesis, control, results};
}
