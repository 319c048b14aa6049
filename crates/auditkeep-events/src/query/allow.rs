//! Which statements may run: those that read.
//!
//! The list says what is allowed, so a kind of statement that DataFusion learns later is refused.

use deltalake_core::datafusion::sql::parser::Statement;
use deltalake_core::datafusion::sql::sqlparser::ast::Statement as Sql;

use super::QueryError;

pub(super) fn check(statement: &Statement) -> Result<(), QueryError> {
    match statement {
        Statement::Statement(sql) => check_sql(sql),
        Statement::Explain(explain) => check(&explain.statement),
        Statement::CreateExternalTable(_) => Err(QueryError::not_allowed("CREATE EXTERNAL TABLE")),
        Statement::CopyTo(_) => Err(QueryError::not_allowed("COPY")),
        Statement::Reset(_) => Err(QueryError::not_allowed("RESET")),
    }
}

fn check_sql(sql: &Sql) -> Result<(), QueryError> {
    match sql {
        Sql::Query(_)
        | Sql::ExplainTable { .. }
        | Sql::ShowTables { .. }
        | Sql::ShowColumns { .. }
        | Sql::ShowVariable { .. }
        | Sql::ShowVariables { .. }
        | Sql::ShowFunctions { .. } => Ok(()),
        Sql::Explain { statement, .. } => check_sql(statement),
        other => Err(QueryError::not_allowed(&first_words(other))),
    }
}

/// `CREATE TABLE`, `DROP VIEW`, `SET`: what the statement is called, without anything that the user has named.
fn first_words(sql: &Sql) -> String {
    let text = sql.to_string();
    let is_name = |word: &&str| word.bytes().all(|byte| byte.is_ascii_uppercase());
    let words: Vec<&str> = text.split_whitespace().take(2).take_while(is_name).collect();
    if words.is_empty() { "this statement".to_owned() } else { words.join(" ") }
}
