import {linearAxis} from '../../report/axis.ts';
import type {MetricReport, MetricRow} from '../../report/report.ts';

const [WIDTH, HEIGHT] = [200, 26];

/** One effect against zero on the metric's own scale: thick the fixed-horizon interval, thin the always-valid one. */
export function EffectBar({metric, row, label}: {readonly metric: MetricReport; readonly row: MetricRow; readonly label: string}) {
  const {effect_absolute: effect, ci_low: ciLow, ci_high: ciHigh, cs_low: csLow, cs_high: csHigh} = row.verdict;
  if (effect === null) return null;
  const all = metric.rows.flatMap(({verdict: v}) => [v.effect_absolute, v.ci_low, v.ci_high, v.cs_low, v.cs_high].flatMap(value => value ?? []));
  const axis = linearAxis([0, ...all], {fromPx: 6, toPx: WIDTH - 6, ticksMax: 3});
  const middle = HEIGHT / 2;
  const colour = row.reading === 'better' ? 'var(--good)' : row.reading === 'worse' ? 'var(--bad)' : 'var(--accent)';
  const line = (low: number | null, high: number | null, width: number) =>
    low === null || high === null ? null : <line x1={axis.at(low)} x2={axis.at(high)} y1={middle} y2={middle} stroke={colour} stroke-width={width} stroke-opacity={width > 3 ? 0.45 : 1} />;
  return (
    <svg class="bar" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={label}>
      <line x1={axis.at(0)} x2={axis.at(0)} y1="2" y2={HEIGHT - 2} stroke="currentColor" stroke-opacity="0.55" />
      {line(ciLow, ciHigh, 7)}
      {line(csLow, csHigh, 1.5)}
      <circle cx={axis.at(effect)} cy={middle} r="4" fill={colour} />
    </svg>
  );
}
