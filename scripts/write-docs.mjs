#!/usr/bin/env node
// Writes what is derived from the code: docs/METRICS.md and deploy/clickhouse/replicated.sql. Build first.
import {writeFileSync} from 'node:fs';

const {metricsPage} = await import('../dist/observe/metric-catalogue.js');
const {replicatedDdl} = await import('../dist/warehouse/clickhouse/replicated-ddl.js');
writeFileSync(new URL('../docs/METRICS.md', import.meta.url), metricsPage());
writeFileSync(new URL('../deploy/clickhouse/replicated.sql', import.meta.url), replicatedDdl());
