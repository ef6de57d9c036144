-- Before the result statement, in the same transaction: one group at a time touches a run. Two statements that see the
-- same highest row of a sample, say an orphan of a lost connection and its repetition, would both move the summary; the
-- statement after this one sees what its predecessor committed. Slots bound the number of locks; sorted, no circle.
SELECT assay.run_lock($1::int8[])
