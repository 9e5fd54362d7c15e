#!/usr/bin/env node
// Writes what is derived from the code: docs/METRICS.md, deploy/clickhouse/replicated.sql and distributed.sql. Build first.
import {writeFileSync} from 'node:fs';

const {metricsPage} = await import('../dist/observe/metric-catalogue.js');
const {replicatedDdl} = await import('../dist/warehouse/clickhouse/replicated-ddl.js');
const {distributedDdl} = await import('../dist/warehouse/clickhouse/distributed-ddl.js');
writeFileSync(new URL('../docs/METRICS.md', import.meta.url), metricsPage());
writeFileSync(new URL('../deploy/clickhouse/replicated.sql', import.meta.url), replicatedDdl());
writeFileSync(new URL('../deploy/clickhouse/distributed.sql', import.meta.url), distributedDdl());
