import {z} from 'zod';
import {rolesFor} from './access/roles.ts';
import type {AnswerDoc, Route} from './route.ts';

const PROBLEM = {
  type: 'object',
  description: 'RFC 9457',
  required: ['type', 'title', 'status', 'detail'],
  properties: {
    type: {type: 'string'},
    title: {type: 'string'},
    status: {type: 'integer'},
    detail: {type: 'string', description: 'What is wrong and how to mend it.'},
    code: {type: 'string', description: 'Stable code, ASSAY_….'},
    errors: {type: 'array', items: {type: 'object', required: ['field', 'message'], properties: {field: {type: 'string'}, message: {type: 'string'}}}},
  },
};

const jsonSchema = (schema: z.ZodType, io: 'input' | 'output'): Record<string, unknown> => {
  const {$schema: _, ...rest} = z.toJSONSchema(schema, {io, unrepresentable: 'any', target: 'draft-2020-12'});
  return rest;
};

/** OpenAPI 3.1 of the table of routes. */
export function makeOpenApi(routes: readonly Route[], version: string): unknown {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    if (route.tag === 'pages') continue;
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = {...paths[path], [route.method.toLowerCase()]: operationOf(route)};
  }
  return {
    openapi: '3.1.0',
    info: {title: 'Assay', version, description: 'Says within seconds, with evidence that can be checked, whether model B beats model A.', license: {name: 'Apache-2.0', identifier: 'Apache-2.0'}},
    paths,
    components: {
      schemas: {Problem: PROBLEM},
      securitySchemes: {
        bearer: {type: 'http', scheme: 'bearer', description: 'An API key made with `assay keys add`. Without any key the server answers on loopback alone.'},
        session: {type: 'apiKey', in: 'cookie', name: 'assay_session'},
      },
    },
  };
}

function operationOf(route: Route): Record<string, unknown> {
  const {summary, tag, permission, query, body, answers} = route;
  const isPublic = permission === 'public';
  const parameters = [...pathParameters(route.path), ...(query === undefined ? [] : queryParameters(query))];
  return {
    operationId: operationId(route),
    summary,
    tags: [tag],
    ...(isPublic ? {security: []} : {security: [{bearer: []}, {session: []}], 'x-roles': rolesFor(permission)}),
    ...(parameters.length === 0 ? {} : {parameters}),
    ...(body === undefined ? {} : {requestBody: {required: true, content: bodyContent(body)}}),
    responses: {
      ...Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, responseOf(Number(status), answer)])),
      ...(isPublic ? {} : {401: problemResponse('A key is missing or wrong.'), 403: problemResponse('The key’s role may not do this.'), 429: problemResponse('Too many requests; Retry-After says when to come back.')}),
      default: problemResponse('What is wrong and how to mend it.'),
    },
  };
}

const operationId = ({method, path}: Route): string =>
  `${method.toLowerCase()}${path.replaceAll(/[^A-Za-z0-9]+(\w?)/g, (_, letter: string) => letter.toUpperCase())}`;

const pathParameters = (path: string): unknown[] =>
  [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({name, in: 'path', required: true, schema: {type: 'string'}}));

function queryParameters(query: z.ZodType): unknown[] {
  const {properties = {}, required = []} = jsonSchema(query, 'input') as {properties?: Record<string, Record<string, unknown>>; required?: string[]};
  return Object.entries(properties).map(([name, {description, ...schema}]) => ({
    name, in: 'query', required: required.includes(name), ...(description === undefined ? {} : {description}), schema,
  }));
}

const bodyContent = (body: z.ZodType | 'text'): unknown =>
  body === 'text' ? {'application/json': {}, 'application/x-ndjson': {}, 'text/plain': {}} : {'application/json': {schema: jsonSchema(body, 'input')}};

function responseOf(status: number, {describe, schema, type = 'application/json'}: AnswerDoc): unknown {
  if (WITHOUT_BODY.has(status)) return {description: describe};
  if (status >= 400 && schema === undefined) return problemResponse(describe);
  const shape = schema === undefined ? {} : {schema: jsonSchema(schema, 'output')};
  return {description: describe, content: Object.fromEntries([type].flat().map(one => [one, shape]))};
}

const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 304]);

const problemResponse = (description: string): unknown => ({description, content: {'application/problem+json': {schema: {$ref: '#/components/schemas/Problem'}}}});
