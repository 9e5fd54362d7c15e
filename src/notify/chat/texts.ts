/** Every word of a chat message that is not the report's. A second language is a second value of this type. */
export type ChatTexts = {
  readonly alertState: Readonly<Record<'pending' | 'firing' | 'resolved', string>>;
  /** Of alerts; an unknown one is shown as it is. */
  readonly severity: Readonly<Record<string, string>>;
  readonly label: Readonly<Record<ChatLabel, string>>;
  readonly alertTitle: (parts: {readonly state: string; readonly severity: string; readonly rule: string; readonly about: string}) => string;
  readonly shortened: string;
  readonly shortenedRun: (command: string) => string;
  readonly digestTitle: (messages: number) => string;
  readonly test: string;
  readonly testLine: string;
};

export type ChatLabel = 'value' | 'threshold' | 'window' | 'n' | 'since' | 'at' | 'reason' | 'changes' | 'evidence' | 'findings' | 'replay' | 'open' | 'chart' | 'id' | 'action';

export const ENGLISH_CHAT: ChatTexts = {
  alertState: {pending: 'Pending', firing: 'Firing', resolved: 'Resolved'},
  severity: {info: 'info', warning: 'warning', critical: 'critical'},
  label: {
    value: 'Value', threshold: 'Threshold', window: 'Window', n: 'Observations', since: 'Since', at: 'At', reason: 'Reason', changes: 'Decisions',
    evidence: 'Evidence', findings: 'Findings', replay: 'Check it yourself', open: 'Open in Assay', chart: 'Chart', id: 'Message', action: 'Asked for',
  },
  alertTitle: ({state, severity, rule, about}) => `${state} · ${severity} · ${rule} · ${about}`,
  shortened: 'shortened; the link has all of it',
  shortenedRun: command => `shortened; all of it: ${command}`,
  digestTitle: messages => `${messages} messages from Assay`,
  test: 'Test from Assay',
  testLine: 'Reports and alerts will look like this message.',
};
