/** `weightOf` of core/sampling.ts as the queries have it; a test compares the two. */
export const WEIGHT_SQL = 'toInt64(floor(1000000. / greatest(sample_rate, 0.000001) + 0.5))';
