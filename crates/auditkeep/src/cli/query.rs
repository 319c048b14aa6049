//! `auditkeep query`: SQL over the derived tables.

use auditkeep_events::QueryEngine;
use clap::Args;
use futures::StreamExt;

use super::Context;
use crate::failure::{Exit, Failure};
use crate::output::rows::Printer;

#[derive(Debug, Args)]
#[command(after_help = "The columns are described by: auditkeep query 'describe events'\n\n\
    Examples:\n  \
    auditkeep query \"select user_name, count(*) from events where class = 'connect' and outcome = 'failure' group by 1\"\n  \
    auditkeep query --json 'select * from problems'")]
pub struct QueryArguments {
    /// One SELECT, EXPLAIN, SHOW or DESCRIBE
    #[arg(value_name = "SQL")]
    sql: String,
}

pub async fn run(context: &Context, arguments: &QueryArguments) -> Result<Exit, Failure> {
    // Of what is no archive, nothing is answered.
    context.archive().await?;
    let engine = context.queries().await?;
    print(&engine, &arguments.sql, context.json).await?;
    Ok(Exit::Fine)
}

/// Runs one statement and prints its rows as they come.
pub async fn print(engine: &QueryEngine, sql: &str, json: bool) -> Result<(), Failure> {
    let (schema, mut batches) = engine.sql(sql).await?;
    let mut printer = Printer::new(json);
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(|error| engine.present(error))?;
        if !printer.batch(&batch)? {
            break;
        }
    }
    printer.end(&schema)
}
