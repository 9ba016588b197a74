CREATE VIEW layra.session_memory WITH (security_invoker) AS
SELECT m.what, m.entries, m.bytes FROM layra.remembered() m;

COMMENT ON VIEW layra.session_memory IS
'What this session caches from call to call.';
COMMENT ON COLUMN layra.session_memory.what IS 'definitions (of workflows) and schemas (of event types and answers), compiled; plans (of the extension''s statements); places (where the newest rows of long runs stand).';
COMMENT ON COLUMN layra.session_memory.entries IS 'How many of them.';
COMMENT ON COLUMN layra.session_memory.bytes IS 'Bytes that they take.';
