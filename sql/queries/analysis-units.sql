-- Units that met a phase of a split experiment under a cut: their variant there, and when they left it for a
-- later phase. Those that only met a later phase are kept too: an exposure to this one may still arrive.
INSERT INTO analysis_units (workspace, key, variant, is_crossover, first_ms, left_ms, forgotten_ms, weight, step)
SELECT {workspace:String}, key, variant, is_crossover, first_ms, left_ms, forgotten_ms, weight, {step:UInt32}
FROM (
  /* units met */
)
