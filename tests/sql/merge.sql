-- on_conflict => 'merge': a three-way merge of ours, and of theirs at the head, on the base that we read.
SET layra.now = '2026-01-01 12:00:00+00';

-- What a merge gives, or what is in its way. SQL NULL: the variable is not set.
CREATE FUNCTION merge(base jsonb, ours jsonb, theirs jsonb) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    result record;
    answer text;
BEGIN
    PERFORM layra.start_run('merge',
        variables => CASE WHEN base IS NULL THEN '{}' ELSE jsonb_build_object('v', base) END);
    IF theirs IS NULL THEN
        PERFORM layra.unset_variables('merge', '{v}');
    ELSE
        PERFORM layra.set_variables('merge', jsonb_build_object('v', theirs));
    END IF;
    SELECT * INTO result FROM layra.try_set_variables('merge', jsonb_build_object('v', ours), on_conflict => 'merge',
        expected_version => 1);
    answer := CASE WHEN result.committed THEN coalesce(layra.get_variable('merge', 'v')::text, 'not set')
        ELSE 'conflict at ' || (SELECT string_agg(c ->> 'path', ', ') FROM jsonb_array_elements(result.conflicts) c) END;
    PERFORM layra.drop_run('merge');
    RETURN answer;
END
$$;
SELECT what, base, ours, theirs, merge(base, ours, theirs)
FROM (VALUES
    ('disjoint keys', '{"a": 1}'::jsonb, '{"a": 1, "b": 2}'::jsonb, '{"a": 1, "c": 3}'::jsonb),
    ('one key each', '{"a": 1, "b": 1}', '{"a": 2, "b": 1}', '{"a": 1, "b": 2}'),
    ('nested', '{"x": {"a": 1, "y": {"b": 1}}}', '{"x": {"a": 1, "y": {"b": 2}}}', '{"x": {"a": 2, "y": {"b": 1}}}'),
    ('the same value twice', '{"a": 1}', '{"a": 2}', '{"a": 2}'),
    ('the same value twice, nested', '{"a": {"b": 1}}', '{"a": {"b": 2, "c": 0}}', '{"a": {"b": 2}}'),
    ('only they changed it', '[1]', '[1]', '[1, 2]'),
    ('only we changed it', '1', '2', '1'),
    ('a key left out is removed', '{"a": 1, "b": 1}', '{"b": 1}', '{"a": 1, "b": 2}'),
    ('both removed it', '{"a": 1, "b": 1}', '{"b": 1}', '{"b": 1}'),
    ('removed against changed', '{"a": 1, "b": 1}', '{"b": 1}', '{"a": 2, "b": 1}'),
    ('the same key changed', '{"a": 1, "b": 1}', '{"a": 2, "b": 1}', '{"a": 3, "b": 2}'),
    ('two keys changed', '{"a": 1, "b": 1, "c": 1}', '{"a": 2, "b": 2, "c": 1}', '{"a": 3, "b": 3, "c": 0}'),
    ('both add the same', '{}', '{"a": 1}', '{"a": 1}'),
    ('both add differently', '{}', '{"a": 1}', '{"a": 2}'),
    ('arrays are atoms', '{"l": [1, 2]}', '{"l": [1, 2, 3]}', '{"l": [0, 1, 2]}'),
    ('scalars are atoms', '"a"', '"b"', '"c"'),
    ('object against array', '{"a": {"b": 1}}', '{"a": {"b": 2}}', '{"a": [1]}'),
    ('object added on both sides', 'null', '{"a": 1}', '{"b": 1}'),
    ('null is a value', '{"a": null}', '{"a": null, "b": null}', '{"a": 1}'),
    ('1.0 is not 1', '{"a": 1}', '{"a": 1.0}', '{"a": 1.00}'),
    ('escaped in the pointer', '{"a/b": {"~": 1}}', '{"a/b": {"~": 2}}', '{"a/b": {"~": 3}}'),
    ('the base lacks it, the same', NULL, '1', '1'),
    ('the base lacks it, differently', NULL, '{"a": 1}', '{"b": 1}'),
    ('they unset it, we left it', '1', '1', NULL),
    ('they unset it, we changed it', '1', '2', NULL),
    ('they unset it, we took a key away', '{"a": 1}', '{}', NULL)
) example (what, base, ours, theirs);

-- Several variables: what we leave out is untouched, and conflicts name all of them.
SELECT layra.start_run('merge', variables => '{"a": 1, "b": {"x": 1, "y": 1}, "c": [1]}');
SELECT layra.set_variables('merge', '{"a": 2, "b": {"x": 2, "y": 1}, "d": true}');
SELECT layra.set_variables('merge', '{"b": {"x": 1, "y": 2}, "c": [2]}', on_conflict => 'merge', expected_version => 1);
SELECT layra.get_variables('merge');
SELECT payload, changed FROM layra.events('merge', after_version => 2);
SELECT layra.set_variables('merge', '{"a": 3, "b": {"x": 3, "y": 2}, "c": [3], "e": 1}', on_conflict => 'merge',
    expected_version => 1);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT committed, version, c.* FROM layra.try_set_variables('merge',
    '{"a": 3, "b": {"x": 3, "y": 2}, "c": [3], "e": 1}', on_conflict => 'merge', expected_version => 1),
    jsonb_to_recordset(conflicts) c (path text, base jsonb, ours jsonb, theirs jsonb);

-- On the head itself there is nothing to merge; a version above it is a conflict.
SELECT layra.set_variables('merge', '{"a": 3}', on_conflict => 'merge', expected_version => 3);
SELECT layra.set_variables('merge', '{"a": 4}', on_conflict => 'merge', expected_version => 99);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- expected_variables stay strict: nothing is merged where one of them moved.
SELECT layra.set_variables('merge', '{"f": 1}', '{"b": 1}', 'merge', expected_version => 1);
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- Schemas are checked on the result, which neither side has seen.
SELECT layra.define_workflow('merge', '{"variables": {"v": {"schema": {"maxProperties": 2}}}}');
SELECT layra.start_run('merge schema', 'merge', '{"v": {"a": 1}}');
SELECT layra.set_variables('merge schema', '{"v": {"a": 1, "b": 1}}');
SELECT layra.set_variables('merge schema', '{"v": {"a": 1, "c": 1}}', on_conflict => 'merge', expected_version => 1);
\echo SQLSTATE :LAST_ERROR_SQLSTATE

SELECT layra.drop_run('merge');
SELECT layra.drop_run('merge schema');
DROP FUNCTION merge;
DELETE FROM layra.workflow;
