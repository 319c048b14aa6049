//! What went wrong with a query, for the person who wrote it.

use deltalake_core::datafusion::common::utils::datafusion_strsim::levenshtein;
use deltalake_core::datafusion::common::{Column, SchemaError};
use deltalake_core::datafusion::error::DataFusionError;

use super::QueryOptions;

/// Characters of DataFusion's part of a message.
const LONGEST_MESSAGE: usize = 600;

/// Messages may quote the query, and what a query computes may come from a log: whoever shows them on a terminal makes
/// control characters visible.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    #[error("the statement cannot be understood: {message}")]
    Syntax { message: String },
    #[error("there is no column `{name}`{}", did_you_mean(nearest.as_deref()))]
    UnknownColumn {
        name: String,
        nearest: Option<String>,
        /// The columns there are.
        columns: Vec<String>,
    },
    #[error(
        "there is no table `{name}`{}; the tables are `events` and `problems`",
        did_you_mean(nearest.as_deref())
    )]
    UnknownTable { name: String, nearest: Option<String> },
    #[error("{statement} is not allowed here; SELECT, EXPLAIN, SHOW and DESCRIBE are")]
    NotAllowed { statement: String },
    /// Understood, and makes no sense: an unknown function, a comparison of a time with a number.
    #[error("the statement cannot be run: {message}")]
    Invalid { message: String },
    #[error(
        "the query needs more than the {} MiB of memory or {} MiB of temporary files it may use; \
         narrow it down (by `event_date`, for one) or allow it more: {message}",
        memory_bytes >> 20, spill_bytes >> 20
    )]
    Exhausted { memory_bytes: u64, spill_bytes: u64, message: String },
    #[error("the query failed: {message}")]
    Execution { message: String },
    #[error("opening {table}")]
    Open {
        table: String,
        #[source]
        cause: Box<DataFusionError>,
    },
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

impl QueryError {
    pub(super) fn not_allowed(statement: &str) -> Self {
        Self::NotAllowed { statement: statement.to_owned() }
    }

    pub(super) fn unknown_table<'a>(name: &str, tables: impl IntoIterator<Item = &'a str>) -> Self {
        Self::UnknownTable { name: name.to_owned(), nearest: nearest(name, tables) }
    }

    pub(super) fn new(error: DataFusionError, options: &QueryOptions) -> Self {
        match error {
            DataFusionError::SQL(error, _) => {
                let message = error.to_string();
                Self::Syntax { message: one_line(message.trim_start_matches("sql parser error: ")) }
            }
            DataFusionError::SchemaError(error, _) => Self::of_schema(&error),
            DataFusionError::NotImplemented(message) | DataFusionError::Plan(message) => {
                Self::Invalid { message: one_line(&message) }
            }
            DataFusionError::ResourcesExhausted(message) => Self::Exhausted {
                memory_bytes: options.memory_bytes as u64,
                spill_bytes: options.spill_bytes,
                message: one_line(&message),
            },
            DataFusionError::Execution(message) => Self::Execution { message: one_line(&message) },
            DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
                Self::new(*inner, options)
            }
            DataFusionError::Collection(mut errors) if !errors.is_empty() => {
                Self::new(errors.swap_remove(0), options)
            }
            DataFusionError::Shared(shared) => Self::of_shared(&shared, options),
            other => Self::Execution { message: one_line(&other.strip_backtrace()) },
        }
    }

    /// Others hold the error as well, so it cannot be taken apart; the kinds that a stream yields are told from its text.
    fn of_shared(error: &DataFusionError, options: &QueryOptions) -> Self {
        match error.find_root() {
            DataFusionError::ResourcesExhausted(message) => {
                Self::new(DataFusionError::ResourcesExhausted(message.clone()), options)
            }
            DataFusionError::Execution(message) => Self::Execution { message: one_line(message) },
            root => Self::Execution { message: one_line(&root.strip_backtrace()) },
        }
    }

    fn of_schema(error: &SchemaError) -> Self {
        match error {
            SchemaError::FieldNotFound { field, valid_fields } => {
                let columns: Vec<String> = valid_fields.iter().map(Column::name).map(str::to_owned).collect();
                let name = field.name().to_owned();
                let nearest = nearest(&name, columns.iter().map(String::as_str));
                Self::UnknownColumn { name, nearest, columns }
            }
            other => Self::Invalid { message: one_line(&other.to_string()) },
        }
    }
}

/// The name that somebody has probably meant: at most a third of its letters differ.
fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let name = name.to_lowercase();
    let with_distance = |candidate: &'a str| (levenshtein(&name, candidate), candidate);
    let (distance, candidate) = names.into_iter().map(with_distance).min_by_key(|(distance, _)| *distance)?;
    let letters = name.chars().count().max(candidate.chars().count());
    // `user` for `user_name` is further off than that, and what people type.
    let begins = name.len() >= 3 && candidate.starts_with(&name);
    (distance * 3 <= letters || begins).then(|| candidate.to_owned())
}

/// DataFusion breaks lines, and appends a backtrace when one was asked for. A candidate list can be as long as a page.
fn one_line(message: &str) -> String {
    let message = message.split(DataFusionError::BACK_TRACE_SEP).next().unwrap_or(message);
    let words: Vec<&str> = message.split_whitespace().collect();
    let line: String = words.join(" ").chars().take(LONGEST_MESSAGE).collect();
    line.trim_end_matches('.').to_owned()
}
