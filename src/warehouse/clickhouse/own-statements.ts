import type {SqlSettings} from './connection.ts';

/** For the product's own statements, which are large and written the way the engine likes them. Analysts' connections keep the engine's defaults. */
export const OWN_STATEMENTS: SqlSettings = {
  // Steps of the planner that find nothing in them and took a third of a closing's planning and half of an audit's (docs/PERFORMANCE.md).
  optimize_and_compare_chain: 0,
  optimize_extract_common_expressions: 0,
  optimize_injective_functions_in_group_by: 0,
  optimize_move_functions_out_of_any: 0,
  optimize_multiif_to_if: 0,
  optimize_syntax_fuse_functions: 0,
  // Parameters stand in the text, and a recompute carries every definition: 6 MB for 10 000 experiments, of 256 KiB allowed as a rule.
  max_query_size: 268_435_456,
};
