//! The first steps with layra_state from Rust, with the `postgres` crate.
//!
//! usage: quickstart [RUN_ID]    connects as libpq does: PGHOST, PGPORT, PGUSER, PGDATABASE, PGPASSWORD

use postgres::error::SqlState;
use postgres::{Client, Config, Error, NoTls};
use serde_json::{Value, json};
use std::time::Duration;

/// The crate reads no environment variables itself. A host that begins with a slash is the directory of a Unix socket.
fn connect() -> Result<Client, Error> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let mut config = Config::new();
    config.host(variable("PGHOST").as_deref().unwrap_or("/var/run/postgresql"));
    config.port(variable("PGPORT").and_then(|port| port.parse().ok()).unwrap_or(5432));
    let user = variable("PGUSER").or_else(|| variable("USER")).unwrap_or_default();
    config.user(&user);
    config.dbname(variable("PGDATABASE").as_deref().unwrap_or(&user));
    if let Some(password) = variable("PGPASSWORD") {
        config.password(password);
    }
    config.connect(NoTls)
}

/// Runs a transaction again when somebody else was faster: SQLSTATE 40001, at any isolation level.
fn retried<T>(attempts: u32, mut transaction: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    let mut attempt = 1;
    loop {
        match transaction() {
            Err(error) if error.code() == Some(&SqlState::T_R_SERIALIZATION_FAILURE) && attempt < attempts => {
                println!("somebody else was faster (40001), trying again");
                std::thread::sleep(Duration::from_millis(10 << attempt));
                attempt += 1;
            }
            result => return result,
        }
    }
}

fn main() -> Result<(), Error> {
    let run = std::env::args().nth(1).unwrap_or_else(|| format!("quickstart-{}", std::process::id()));
    let mut client = connect()?;
    let mut other = connect()?;

    let variables = json!({"topic": "tides", "facts": []});
    let row = client.query_one("SELECT layra.start_run($1, variables => $2)", &[&run, &variables])?;
    let version: i64 = row.get(0);
    println!("started run {run} at version {version}");

    // Only if the run is still at the version that we know.
    let row = client.query_one(
        "SELECT layra.set_variables($1, $2, expected_version => $3)",
        &[&run, &json!({"language": "en"}), &version],
    )?;
    println!("set the language at version {}", row.get::<_, i64>(0));

    // Read, change, write what was read only if nobody wrote in between, and all of that again if somebody did.
    let mut interruptions = vec!["the moon pulls"];
    let version = retried(5, || {
        let row = client.query_one(
            "SELECT version, layra.get_variable(run_id, 'facts', version) FROM layra.runs WHERE run_id = $1",
            &[&run],
        )?;
        let (version, mut facts): (i64, Value) = (row.get(0), row.get(1));
        if let Some(fact) = interruptions.pop() {
            other.query_one("SELECT layra.set_variable($1, 'facts', $2)", &[&run, &json!([fact])])?;
        }
        facts.as_array_mut().expect("facts are a list").push(json!("the sun pulls too"));
        let row = client.query_one(
            "SELECT layra.set_variables($1, $2, expected_version => $3)",
            &[&run, &json!({ "facts": facts }), &version],
        )?;
        Ok(row.get::<_, i64>(0))
    })?;
    println!("added a fact at version {version}");

    // An event, and the variables that it changed, in one version; and whom this transaction acts for.
    let mut transaction = client.transaction()?;
    transaction.query_one("SELECT set_config('layra.actor', $1, true)", &[&"alice@example.com"])?;
    let row = transaction.query_one(
        "SELECT layra.append_event($1, 'agent.searched', $2, updates => $3)",
        &[&run, &json!({"query": "spring tide", "hits": 2}), &json!({"hits": 2})],
    )?;
    transaction.commit()?;
    println!("appended an event at version {}, on behalf of alice@example.com", row.get::<_, i64>(0));

    let row = client.query_one("SELECT layra.checkpoint($1, $2)", &[&run, &"researched"])?;
    println!("took a checkpoint at version {}", row.get::<_, i64>(0));

    let row = client
        .query_one("SELECT layra.set_variables($1, $2)", &[&run, &json!({"draft": "Tides are …", "facts": []})])?;
    println!("wrote a draft at version {}", row.get::<_, i64>(0));

    let row = client
        .query_one("SELECT layra.rollback_to($1, $2, $3)", &[&run, &"researched", &"the draft lost the facts"])?;
    println!("rolled back to the checkpoint, as version {}", row.get::<_, i64>(0));

    let row = client.query_one("SELECT layra.get_variables($1)::text", &[&run])?;
    println!("{}", row.get::<_, &str>(0));
    let timeline = client
        .query("SELECT version, type, who, what FROM layra.timeline WHERE run_id = $1 ORDER BY version", &[&run])?;
    for row in timeline {
        let (version, text): (i64, Vec<&str>) = (row.get(0), (1..4).map(|column| row.get(column)).collect());
        println!("{version} | {}", text.join(" | "));
    }
    Ok(())
}
