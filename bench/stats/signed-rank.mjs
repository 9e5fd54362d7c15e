/**
 * The TypeScript step of a pushed-down Wilcoxon test: p, Hodges–Lehmann and its interval from groups
 * {difference, count} as the warehouse gives them. `node bench/stats/signed-rank.mjs [groups…]`, after a build.
 */
import {wilcoxonSignedRank} from '../../dist/stats/wilcoxon-signed-rank.js';

const sizes = process.argv.slice(2).map(Number);
for (const size of sizes.length > 0 ? sizes : [10_000, 100_000, 400_000, 1_000_000]) {
  const groups = Array.from({length: size}, (_, i) => ({difference: (i - size * 0.495) / 1000, count: 1 + ((i * 7919) % 23)}));
  const pairs = groups.reduce((sum, {count}) => sum + count, 0);
  const runs = Array.from({length: 3}, () => {
    const [cpu, start] = [process.cpuUsage(), performance.now()];
    const result = wilcoxonSignedRank({groups});
    if (result.status !== 'ok') throw new Error(result.message);
    return {cpu_ms: process.cpuUsage(cpu).user / 1000, wall_ms: performance.now() - start};
  });
  const best = runs.reduce((a, b) => (b.cpu_ms < a.cpu_ms ? b : a));
  console.log(JSON.stringify({pairs, groups: size, cpu_ms: Math.round(best.cpu_ms), wall_ms: Math.round(best.wall_ms), rss_mb: Math.round(process.memoryUsage().rss / 2 ** 20)}));
}
