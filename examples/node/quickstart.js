// The first steps with layra_state from Node.js, with node-postgres.
//
// usage: node quickstart.js [RUN_ID]      connects as libpq does: PGHOST, PGPORT, PGUSER, PGDATABASE, …

import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";

// A version is a bigint, which node-postgres gives as text unless told otherwise. It stays far below 2^53.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

/** Runs a transaction again when somebody else was faster: SQLSTATE 40001, at any isolation level. */
async function retried(transaction, attempts = 5) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await transaction();
    } catch (error) {
      if (error.code !== "40001" || attempt === attempts) throw error;
      console.log("somebody else was faster (40001), trying again");
      await sleep(Math.random() * 10 * 2 ** attempt);
    }
  }
}

/** The only value of a statement's only row. */
async function call(client, sql, ...parameters) {
  const { rows } = await client.query({ text: sql, values: parameters, rowMode: "array" });
  return rows[0][0];
}

async function main(runId) {
  const client = new pg.Client();
  const other = new pg.Client();
  await client.connect();
  await other.connect();

  // jsonb goes in as JSON text: node-postgres would send a JavaScript array as a PostgreSQL array.
  const json = JSON.stringify;
  let version = await call(
    client, "SELECT layra.start_run($1, variables => $2)", runId, json({ topic: "tides", facts: [] }));
  console.log(`started run ${runId} at version ${version}`);

  // Only if the run is still at the version that we know.
  version = await call(
    client, "SELECT layra.set_variables($1, $2, expected_version => $3)", runId, json({ language: "en" }), version);
  console.log(`set the language at version ${version}`);

  // Read, change, write what was read only if nobody wrote in between, and all of that again if somebody did.
  const interruptions = ["the moon pulls"];
  version = await retried(async () => {
    const { rows } = await client.query(
      "SELECT version, layra.get_variable(run_id, 'facts', version) AS facts FROM layra.runs WHERE run_id = $1",
      [runId]);
    const { version, facts } = rows[0];
    if (interruptions.length > 0) {
      await call(other, "SELECT layra.set_variable($1, 'facts', $2)", runId, json([interruptions.pop()]));
    }
    return call(
      client, "SELECT layra.set_variables($1, $2, expected_version => $3)",
      runId, json({ facts: [...facts, "the sun pulls too"] }), version);
  });
  console.log(`added a fact at version ${version}`);

  // An event, and the variables that it changed, in one version; and whom this transaction acts for.
  await client.query("BEGIN");
  try {
    await client.query("SELECT set_config('layra.actor', $1, true)", ["alice@example.com"]);
    version = await call(
      client, "SELECT layra.append_event($1, 'agent.searched', $2, updates => $3)",
      runId, json({ query: "spring tide", hits: 2 }), json({ hits: 2 }));
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  }
  console.log(`appended an event at version ${version}, on behalf of alice@example.com`);

  version = await call(client, "SELECT layra.checkpoint($1, $2)", runId, "researched");
  console.log(`took a checkpoint at version ${version}`);

  version = await call(client, "SELECT layra.set_variables($1, $2)", runId, json({ draft: "Tides are …", facts: [] }));
  console.log(`wrote a draft at version ${version}`);

  version = await call(client, "SELECT layra.rollback_to($1, $2, $3)", runId, "researched", "the draft lost the facts");
  console.log(`rolled back to the checkpoint, as version ${version}`);

  console.log(await call(client, "SELECT layra.get_variables($1)::text", runId));
  const { rows } = await client.query({
    text: "SELECT version, type, who, what FROM layra.timeline WHERE run_id = $1 ORDER BY version",
    values: [runId],
    rowMode: "array",
  });
  for (const row of rows) console.log(row.join(" | "));

  await client.end();
  await other.end();
}

await main(process.argv[2] ?? `quickstart-${process.pid}`);
