/**
 * The demo's three experiments with their truth. `document` is what an author
 * would write in YAML; it goes through the same parser.
 */
export type DemoTruth = 'improvement' | 'null' | 'harm';

export type DemoExperiment = {
  readonly experiment: string;
  readonly truth: DemoTruth;
  readonly document: Readonly<Record<string, unknown>>;
};

export const DEMO_EXPERIMENTS: readonly DemoExperiment[] = [
  {
    experiment: 'answer-model',
    truth: 'improvement',
    document: {
      experiment: 'answer-model',
      hypothesis: 'model v2 raises judge scores without slowing answers',
      owner: 'search-quality',
      design: 'split',
      unit: 'user',
      variants: {v1: 50, v2: 50},
      control: 'v1',
      metrics: [
        {key: 'judge_score', measure: 'judge_score', aggregate: 'mean', role: 'goal', direction: 'higher'},
        {key: 'latency', measure: 'latency_ms', aggregate: 'mean', role: 'guardrail', direction: 'lower', tolerance: 150, scale: 3},
        {key: 'latency_p95', measure: 'latency_ms', aggregate: 'p95', role: 'diagnostic', direction: 'lower', scale: 3},
        {key: 'error_rate', status: ['server_error', 'timeout'], aggregate: 'share', role: 'guardrail', direction: 'lower', tolerance: 0.02},
      ],
      analysis: {min_n: 500},
    },
  },
  {
    experiment: 'prompt-template',
    truth: 'null',
    document: {
      experiment: 'prompt-template',
      hypothesis: 'the shorter prompt template scores as well on the evaluation set',
      owner: 'prompting',
      design: 'paired',
      unit: 'item',
      variants: {long: 50, short: 50},
      control: 'long',
      metrics: [
        {key: 'eval_score', measure: 'eval_score', aggregate: 'mean', role: 'goal', direction: 'higher'},
      ],
      analysis: {min_n: 200},
    },
  },
  {
    experiment: 'cache-policy',
    truth: 'harm',
    document: {
      experiment: 'cache-policy',
      hypothesis: 'the aggressive cache answers faster',
      owner: 'serving',
      design: 'split',
      unit: 'user',
      variants: {off: 50, aggressive: 50},
      control: 'off',
      metrics: [
        {key: 'latency', measure: 'latency_ms', aggregate: 'mean', role: 'goal', direction: 'lower', scale: 3},
        {key: 'error_rate', status: ['server_error', 'timeout'], aggregate: 'share', role: 'guardrail', direction: 'lower'},
        {key: 'cost_per_success', aggregate: 'ratio', numerator: 'cost_usd', denominator: 'success', role: 'diagnostic', direction: 'lower', scale: 12},
      ],
      analysis: {min_n: 500},
    },
  },
];
