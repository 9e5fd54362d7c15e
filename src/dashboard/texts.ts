/** The dashboard's own words; those of verdicts, checks and metrics come from the report's texts. */
export const ENGLISH_WORDS = {
  experiments: 'Experiments', alerts: 'Alerts', deliveries: 'Deliveries', guards: 'Guards', pipeline: 'Pipeline', audit: 'Audit log', pages: 'Pages', skip: 'Skip to the content',
  stream: 'Stream', language: 'Language', theme: 'Theme', themeAuto: 'As the system', themeLight: 'Light', themeDark: 'Dark', signIn: 'Sign in', signOut: 'Sign out', apiKey: 'API key',
  signInWhy: 'This server asks for an API key. It is made with `assay keys add` and is not kept in this browser.', loading: 'Loading…', failed: 'This could not be loaded', retry: 'Try again', none: 'none',
  search: 'Find by name or owner', lifecycle: 'Lifecycle', all: 'all', decision: 'Decision', health: 'Health', traffic: 'Traffic', units: 'units', variants: 'Variants', dataThrough: 'Data through', changed: 'Last change', experiment: 'Experiment',
  healthy: 'healthy', unhealthy: 'unhealthy', 'not-checked': 'not checked', noVerdict: 'no verdict yet', noExperiments: 'There are no experiments yet. Publish a definition with `assay experiments create FILE`, or run `assay demo`.', noMatch: 'No experiment matches.',
  listOf: (shown: number, all: number) => `${shown} of ${all} experiments, most urgent first`,
  draft: 'draft', running: 'running', paused: 'paused', concluded: 'concluded', archived: 'archived', version: 'Version', phase: 'Phase', owner: 'Owner', hypothesis: 'Hypothesis', control: 'Control', unit: 'Unit', design: 'Design',
  verdict: 'Verdict', why: 'Why', checks: 'Health checks', metrics: 'Metrics', metricsCaption: 'Every metric of every treatment against control. The bar shows the effect: thick is fixed-horizon, thin is always valid.', bar: 'Effect',
  windows: 'Live sliding windows', windowsCaption: 'Windows of one metric, newest first', live: 'live', away: 'connection lost, trying again', statistic: 'Statistic', size: 'Window', slide: 'Slide', seconds: 's', windowEnd: 'Window end', status: 'Status', closed: 'closed', provisional: 'provisional',
  provisionalNote: 'The shaded part is provisional: it still fills and is recomputed from facts when it closes.', noWindows: 'No window has data yet.',
  trend: 'Effect so far, with its confidence sequence', trendNote: 'One point per analysis. The band is valid however often it is looked at; vertical lines mark phases and changes, dashed ones alerts.', noTrend: 'There is no analysis of this metric yet.', analysed: 'Analysed', effect: 'Effect', low: 'Low', high: 'High',
  boxes: 'Distribution', pairs: 'Pairs', intervals: 'Effects', tests: 'All tests', sql: 'SQL behind these numbers', evidence: 'Evidence', history: 'Changes', author: 'By', reason: 'Reason', when: 'When', weights: 'Weights', asTable: 'As a table', markers: 'Markers', marker: 'Marker',
  start: 'Start', pause: 'Pause', resume: 'Resume', conclude: 'Conclude', archive: 'Archive', editWeights: 'Change weights', reasonWhy: 'Why? It is kept with the version.', confirm: 'Confirm', cancel: 'Cancel',
  startWhat: 'Units are assigned from now on.', pauseWhat: 'Every unit gets the fallback until it is resumed.', resumeWhat: 'A new phase begins.', concludeWhat: 'It ends for good; its results stay.', archiveWhat: 'It leaves the configuration; its results stay.', weightsWhat: 'A new phase begins; as few units as possible move.',
  done: (version: number) => `Done: it is version ${version} now.`, moved: (share: string) => `${share} of the units moved.`, sumOf: (share: string) => `share ${share}`,
  rule: 'Rule', variant: 'Variant', state: 'State', severity: 'Severity', value: 'Value', threshold: 'Threshold', pending: 'pending', firing: 'firing', resolved: 'resolved', noAlerts: 'No alert so far.',
  channel: 'Channel', subject: 'Subject', attempts: 'Attempts', answer: 'Answer', due: 'due', delivered: 'delivered', disabled: 'disabled', redeliver: 'Deliver again', redelivered: 'It is due again.', noDeliveries: 'Nothing was sent yet.', log: 'Log', body: 'Body',
  metric: 'Metric', window: 'Window', bound: 'Bound', minN: 'At least n', action: 'Action', above: 'above', below: 'below', noGuards: 'No experiment has a guard.', backtest: 'What it would have done',
  tryIt: 'Try on the last week', noBacktest: 'looks at no windows', wouldHaveFired: (times: number) => (times === 0 ? 'would not have fired' : times === 1 ? 'would have fired once' : `would have fired ${times} times`),
  lag: 'Lag', records: 'records', progress: 'Durable through', closedThrough: 'Closed through', pausedSeconds: 'Workers paused', elsewhere: 'see each worker’s /metrics', ledger: 'Ledger', partition: 'Partition', committed: 'Committed', end: 'Log end', throughput: 'Records per minute', deadLetters: 'Dead letters', code: 'Code', message: 'Message', arrived: 'Arrived',
  appended: 'Appended', accepted: 'Accepted', duplicate: 'Duplicate', conflict: 'Conflicts', dead_lettered: 'Dead-lettered', forgotten: 'Forgotten', facts: 'Facts', mismatch: 'Mismatch', ledgerNote: 'appended = accepted + duplicate + dead-lettered + forgotten, and accepted = facts', versions: 'Versions', noDeadLetters: 'No dead letters.', balanced: 'balanced', unbalanced: 'does not balance', auditState: 'Slices recomputed by the audit',
  auditChecked: (checked: number, mismatch: number) => `${checked} checked, ${mismatch} differ`,
  actor: 'Who', role: 'Role', target: 'On', detail: 'Detail', noEntries: 'Nothing was written yet.', notFound: 'There is no such page.', read: 'Reading',
};

export type Words = typeof ENGLISH_WORDS;
