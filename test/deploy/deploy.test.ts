import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {join, resolve} from 'node:path';
import {parse, parseAllDocuments} from 'yaml';
import {describe, expect, test} from 'vitest';
import {COMMANDS} from '../../src/cli/commands.ts';
import {loadConfig} from '../../src/config/load.ts';
import {OPTIONS} from '../../src/config/options.ts';
import {distributedDdl} from '../../src/warehouse/clickhouse/distributed-ddl.ts';
import {replicatedDdl} from '../../src/warehouse/clickhouse/replicated-ddl.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const text = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** What a command line of a manifest has that the CLI does not. */
function unknownIn(args: readonly string[]): string[] {
  const [name = '', ...rest] = args;
  const command = COMMANDS.find(known => known.name === name);
  if (command === undefined) return [`command ${name}`];
  const flags = new Set([
    '--json', '--config', '--stream',
    ...(command.options ?? []).map(({flags: notation}) => notation.split(' ')[0]),
    ...OPTIONS.flatMap(({flag}) => (flag === undefined ? [] : [`--${flag}`])),
  ]);
  return rest.filter(word => word.startsWith('--') && !flags.has(word));
}
/** Environment names that no option reads; the SDK's and the image's own are none of ours. */
const unknownEnv = (names: readonly string[]): string[] => names.filter(name => name.startsWith('ASSAY_') && !OPTIONS.some(({env}) => env === name));

type Service = {
  image?: string; build?: unknown; command?: string[]; entrypoint?: string[]; environment?: Record<string, string>; ports?: string[]; profiles?: string[];
  volumes?: string[]; healthcheck?: {test?: string[]; disable?: boolean}; depends_on?: Record<string, {condition: string}>; deploy?: {replicas?: number}; restart?: string;
};

describe('docker-compose.yml', () => {
  const compose = parse(text('docker-compose.yml'), {merge: true}) as {services: Record<string, Service>; volumes: Record<string, unknown>};
  const services = Object.entries(compose.services);
  const ours = services.filter(([, {build}]) => build !== undefined);

  test('has what cluster mode is made of', () => {
    expect(Object.keys(compose.services)).toEqual(expect.arrayContaining(['kafka-1', 'kafka-2', 'kafka-3', 'clickhouse-1', 'clickhouse-2', 'keeper', 'worker', 'jobs', 'server', 'prometheus', 'grafana']));
    expect(compose.services['worker']?.deploy?.replicas).toBeGreaterThan(1);
    expect(compose.services['jobs']?.deploy?.replicas).toBe(2);
  });

  test('images are pinned to a full version', () => {
    for (const [name, {image = ''}] of services) expect(`${name} ${image}`).toMatch(/:v?\d+\.\d+\.\d+(\.\d+)?$/);
  });

  test('nothing listens beyond this machine, and no port is taken twice', () => {
    const ports = services.flatMap(([, service]) => service.ports ?? []);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    expect(new Set(ports.map(port => port.split(':')[1])).size).toBe(ports.length);
  });

  test('every service that stays has a health check, of its own or of its image', () => {
    for (const [name, {healthcheck, build, restart}] of services) {
      if (restart === 'on-failure' || restart === 'no') continue;
      expect(`${name} ${build !== undefined || (healthcheck?.test?.length ?? 0) > 1}`).toBe(`${name} true`);
    }
    expect(text('Dockerfile')).toMatch(/^HEALTHCHECK/m);
  });

  test('services depend on services that exist, healthy ones on those with a check', () => {
    for (const [name, {depends_on: depends = {}}] of services) {
      for (const [other, {condition}] of Object.entries(depends)) {
        const service = compose.services[other];
        expect(`${name} → ${other} ${service !== undefined}`).toBe(`${name} → ${other} true`);
        if (condition === 'service_healthy') expect(service?.healthcheck?.test).toBeDefined();
      }
    }
  });

  test('commands, flags and variables are ones that the CLI has', () => {
    expect(ours.length).toBeGreaterThan(3);
    for (const [, {command = [], entrypoint, environment = {}}] of ours) {
      if (entrypoint === undefined) expect(unknownIn(command)).toEqual([]);
      expect(unknownEnv(Object.keys(environment))).toEqual([]);
      const {ASSAY_CLICKHOUSE_PASSWORD: _, ...env} = environment;
      expect(() => loadConfig({env})).not.toThrow();
    }
    expect(unknownIn(['keys', 'add', '--role', 'admin', '--name', 'first'])).toEqual([]);
  });

  test('files that are mounted exist, volumes are declared, passwords are asked for', () => {
    const mounts = services.flatMap(([, service]) => service.volumes ?? []).map(mount => mount.split(':')[0] ?? '');
    for (const mount of mounts) expect(mount.startsWith('./') ? existsSync(join(ROOT, mount)) : mount in compose.volumes).toBe(true);
    const asked = [...text('docker-compose.yml').matchAll(/\$\{(\w+):\?/g)].map(([, name]) => name ?? '');
    expect(asked.length).toBeGreaterThan(2);
    for (const name of asked) expect(text('deploy/compose.env')).toMatch(new RegExp(`^${name}=`, 'm'));
    expect(text('docker-compose.yml')).not.toMatch(/PASSWORD: (?!\$)\S/);
  });

  test('Kafka’s brokers and controllers name each other', () => {
    const brokers = services.filter(([name]) => name.startsWith('kafka-'));
    for (const [name, {environment = {}}] of brokers) {
      expect(environment['KAFKA_CONTROLLER_QUORUM_VOTERS']).toContain(`${environment['KAFKA_NODE_ID']}@${name}:9093`);
      expect(environment['KAFKA_ADVERTISED_LISTENERS']).toContain(`DOCKER://${name}:19092`);
      expect(compose.services['worker']?.environment?.['ASSAY_KAFKA_BROKERS']).toContain(`${name}:19092`);
    }
    expect(brokers).toHaveLength(3);
  });

  test('a command or a flag that the CLI has not is found', () => {
    expect(unknownIn(['wroker'])).toEqual(['command wroker']);
    expect(unknownIn(['worker', '--partitions', '3'])).toEqual(['--partitions']);
    expect(unknownEnv(['ASSAY_KAFKA_BROKER'])).toEqual(['ASSAY_KAFKA_BROKER']);
  });
});

describe('Dockerfile', () => {
  const lines = text('Dockerfile').split('\n');
  const stage = lines.slice(lines.findLastIndex(line => line.startsWith('FROM ')));

  test('builds on a pinned, supported Node, runs as a user, and its variables are options', () => {
    for (const line of lines.filter(one => one.startsWith('FROM '))) expect(line).toMatch(/^FROM node:(20|22)\.\d+\.\d+-bookworm-slim/);
    expect(stage.some(line => line === 'USER node')).toBe(true);
    expect(unknownEnv([...stage.join('\n').matchAll(/(ASSAY_\w+)=/g)].map(([, name]) => name ?? ''))).toEqual([]);
    const run = JSON.parse(stage.find(line => line.startsWith('CMD '))?.slice(4) ?? '[]') as string[];
    expect(unknownIn(run)).toEqual([]);
  });

  test('carries every file that the package does', () => {
    const {files} = JSON.parse(text('package.json')) as {files: string[]};
    const copied = stage.filter(line => line.startsWith('COPY ')).join('\n');
    for (const file of files.filter(name => name !== 'docs')) expect(copied).toContain(`/build/${file} `);
    for (const needed of ['package.json', 'node_modules']) expect(copied).toContain(`/build/${needed} `);
  });

  test('what it copies in is not ignored', () => {
    const ignored = text('.dockerignore').split('\n');
    for (const needed of ['src', 'bin', 'sql', 'schemas', 'scripts', 'package.json', 'package-lock.json', 'tsconfig.json']) expect(ignored).not.toContain(needed);
  });
});

type Manifest = {
  apiVersion: string; kind: string; metadata: {name: string; namespace?: string};
  spec?: {replicas?: number; selector?: {matchLabels?: Record<string, string>} & Record<string, unknown>; template?: {metadata: {labels: Record<string, string>}; spec: Pod}; ports?: {port: number; targetPort: string}[]};
  data?: Record<string, string>; stringData?: Record<string, string>;
};
type Container = {
  name: string; image: string; args?: string[]; ports?: {name: string; containerPort: number}[]; readinessProbe?: {httpGet: {path: string; port: string}}; livenessProbe?: {httpGet: {path: string; port: string}};
  resources?: {requests?: Record<string, string>; limits?: Record<string, string>}; securityContext?: Record<string, unknown>; volumeMounts?: {name: string; mountPath: string}[];
};
type Pod = {containers: Container[]; initContainers?: Container[]; volumes: {name: string}[]; securityContext: Record<string, unknown>};

/** The group and version each kind lives in. */
const API: Readonly<Record<string, string>> = {
  Namespace: 'v1', ConfigMap: 'v1', Secret: 'v1', Service: 'v1', PersistentVolumeClaim: 'v1', Deployment: 'apps/v1', PodDisruptionBudget: 'policy/v1', NetworkPolicy: 'networking.k8s.io/v1',
};

describe('Kubernetes manifests', () => {
  const folder = join(ROOT, 'deploy/kubernetes');
  const manifests = readdirSync(folder).flatMap(file => parseAllDocuments(readFileSync(join(folder, file), 'utf8')).map(document => {
    expect(document.errors).toEqual([]);
    return document.toJS() as Manifest;
  }));
  const deployments = manifests.filter(({kind}) => kind === 'Deployment');
  const pods = deployments.map(({metadata, spec}) => ({name: metadata.name, pod: spec?.template?.spec as Pod, spec}));

  test('kinds, versions, names and the namespace', () => {
    for (const {apiVersion, kind, metadata} of manifests) {
      expect(`${kind} ${apiVersion}`).toBe(`${kind} ${API[kind]}`);
      expect(metadata.name).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
      if (kind !== 'Namespace') expect(metadata.namespace).toBe('assay');
    }
    expect(new Set(manifests.map(({kind, metadata}) => `${kind}/${metadata.name}`)).size).toBe(manifests.length);
    expect(deployments.map(({metadata}) => metadata.name).sort()).toEqual(['jobs', 'server', 'worker']);
  });

  test('selectors meet labels, mounts meet volumes, probes meet ports', () => {
    for (const {pod, spec} of pods) {
      expect(spec?.template?.metadata.labels).toMatchObject(spec?.selector?.matchLabels ?? {none: 'given'});
      const volumes = pod.volumes.map(({name}) => name);
      for (const {volumeMounts = []} of [...pod.containers, ...(pod.initContainers ?? [])]) for (const {name} of volumeMounts) expect(volumes).toContain(name);
      for (const {ports = [], readinessProbe, livenessProbe} of pod.containers) {
        expect([readinessProbe?.httpGet.path, livenessProbe?.httpGet.path]).toEqual(['/readyz', '/healthz']);
        for (const probe of [readinessProbe, livenessProbe]) expect(ports.map(({name}) => name)).toContain(probe?.httpGet.port);
      }
    }
  });

  test('as few rights as the restricted profile gives, and limits', () => {
    for (const {pod} of pods) {
      expect(pod.securityContext).toMatchObject({runAsNonRoot: true, seccompProfile: {type: 'RuntimeDefault'}});
      for (const {securityContext, resources} of [...pod.containers, ...(pod.initContainers ?? [])]) {
        expect(securityContext).toMatchObject({allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: ['ALL']}});
        expect(resources?.requests).toHaveProperty('cpu');
        expect(resources?.limits).toHaveProperty('memory');
      }
    }
  });

  test('images are pinned, commands and flags are the CLI’s', () => {
    for (const {pod} of pods) {
      for (const {image, args} of [...pod.containers, ...(pod.initContainers ?? [])]) {
        expect(image).toMatch(/:\d+\.\d+\.\d+$/);
        if (args !== undefined) expect(unknownIn(args)).toEqual([]);
      }
    }
  });

  test('the configuration is one that assay accepts, metrics on the port of the probes', () => {
    const yaml = manifests.find(({kind}) => kind === 'ConfigMap')?.data?.['assay.yaml'] ?? '';
    const env = manifests.find(({kind}) => kind === 'Secret')?.stringData ?? {};
    expect(unknownEnv(Object.keys(env))).toEqual([]);
    const flat = (node: object, prefix = ''): string[] => Object.entries(node).flatMap(([key, value]) => (value !== null && typeof value === 'object' && !Array.isArray(value) ? flat(value as object, `${prefix}${key}.`) : [`${prefix}${key}`]));
    const keys = flat(parse(yaml) as object);
    expect(keys.filter(key => !OPTIONS.some(option => option.key === key))).toEqual([]);
    const port = (parse(yaml) as {observe: {port: number}}).observe.port;
    for (const {pod} of pods) for (const {ports = []} of pod.containers) expect(ports).toContainEqual({name: 'metrics', containerPort: port});
  });
});

describe('deploy/clickhouse', () => {
  test('the replicated tables are those of the migrations', () => {
    expect(text('deploy/clickhouse/replicated.sql')).toBe(replicatedDdl());
    expect(replicatedDdl()).not.toMatch(/ENGINE = (Replacing)?MergeTree/);
  });

  test('the sharded tables are those of the migrations, and Assay makes the same', () => {
    const ddl = text('deploy/clickhouse/distributed.sql');
    expect(ddl).toBe(distributedDdl());
    expect(ddl).not.toMatch(/ENGINE = (Replacing)?MergeTree/);
    const names = [...replicatedDdl().matchAll(/CREATE TABLE IF NOT EXISTS assay\.(\w+)/g)].map(([, name]) => name ?? '');
    const isOnEachNode = (name: string): boolean => name.startsWith('analysis_');
    for (const name of names) {
      const [own, front] = isOnEachNode(name) ? [name, 0] : [`${name}_local`, 1];
      expect(ddl).toContain(`CREATE TABLE IF NOT EXISTS ${own} ON CLUSTER 'assay' (`);
      expect([name, [...ddl.matchAll(new RegExp(`ENGINE = Distributed\\('assay', 'assay', ${name}_local, `, 'g'))].length]).toEqual([name, front]);
    }
    expect(names.length).toBeGreaterThan(15);
  });

  test('where copies collapse, a row’s shard follows from its sorting key alone', () => {
    const ddl = text('deploy/clickhouse/distributed.sql');
    const tables = [...ddl.matchAll(/CREATE TABLE IF NOT EXISTS (\w+)_local ON CLUSTER 'assay' \([\s\S]*?ENGINE = Replicated(Replacing)?MergeTree[\s\S]*?ORDER BY ([^\n;]+)/g)];
    for (const [, name = '', isReplacing, sorting = ''] of tables) {
      const key = new RegExp(`${name}_local, cityHash64\\(([^)]*)\\)`).exec(ddl)?.[1]?.split(', ') ?? [];
      expect(key.length).toBeGreaterThan(0);
      if (isReplacing !== undefined) for (const column of key) expect(`${name}: ${sorting}`).toMatch(new RegExp(`[(, ]${column}[,); ]|: ${column}$`));
    }
    expect(tables.length).toBeGreaterThan(10);
  });

  test('the configuration files are well-formed', () => {
    for (const file of readdirSync(join(ROOT, 'deploy/clickhouse')).filter(name => name.endsWith('.xml'))) {
      const tags = [...text(`deploy/clickhouse/${file}`).replaceAll(/<!--[\s\S]*?-->/g, '').matchAll(/<(\/?)([\w-]+)[^>]*?(\/?)>/g)];
      const open: string[] = [];
      for (const [, closes, name = '', isEmpty] of tags) {
        if (closes === '/') expect(`${file} ${open.pop()}`).toBe(`${file} ${name}`);
        else if (isEmpty !== '/') open.push(name);
      }
      expect(open).toEqual([]);
    }
  });
});
