//! `auditkeep review`: somebody looked through a part of the evidence, and signs off.

use auditkeep_archive::review::{self, BadReview, Outcome, Review};
use clap::{Args, ValueEnum};
use jiff::{Timestamp, civil, tz::TimeZone};
use serde::Serialize;

use super::said::said;
use super::{Context, events, now, stamp};
use crate::failure::{Exit, Failure};
use crate::output::{data, escape, json};

#[derive(Debug, Args)]
#[command(after_help = "Times are UTC. A date after --from begins that day, one after --to ends it.\n\n\
    Example:\n  auditkeep review --reviewer \"A. Auditor\" --scope \"privileged actions, shop-*\" --from 2026-11-01 --to 2026-11-30 \\\n    \
    --outcome with-exceptions --exception \"two grants without a ticket\"")]
pub struct ReviewArguments {
    /// Who reviewed it
    #[arg(long, value_name = "NAME", value_parser = said)]
    reviewer: String,
    /// What was reviewed
    #[arg(long, value_name = "TEXT", value_parser = said)]
    scope: String,
    /// From this time on
    #[arg(long, value_name = "TIME")]
    from: String,
    /// Up to this time, or to the end of this date
    #[arg(long, value_name = "TIME")]
    to: String,
    #[arg(long)]
    outcome: ChosenOutcome,
    /// What is wrong, in one line; may be given more than once
    #[arg(long = "exception", value_name = "TEXT")]
    exceptions: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ChosenOutcome {
    /// Nothing is wrong
    Accepted,
    /// It cannot be accepted; each exception says why
    Rejected,
    /// Accepted, but for the exceptions
    WithExceptions,
}

/// What was recorded, in JSON as it stands here.
#[derive(Serialize)]
struct Answer<'a> {
    reviewer: &'a str,
    scope: &'a str,
    from: Timestamp,
    to: Timestamp,
    outcome: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    exceptions: &'a [String],
    /// Number of the journal commit.
    commit: u64,
    /// The same review was there before, and nothing was written.
    before: bool,
}

pub async fn run(context: &Context, arguments: &ReviewArguments) -> Result<Exit, Failure> {
    let (from, to) = (events::instant(&arguments.from, "--from")?, end(&arguments.to)?);
    let outcome = match arguments.outcome {
        ChosenOutcome::Accepted => Outcome::Accepted,
        ChosenOutcome::Rejected => Outcome::Rejected,
        ChosenOutcome::WithExceptions => Outcome::WithExceptions,
    };
    let (reviewer, scope) = (arguments.reviewer.clone(), arguments.scope.clone());
    let review = Review::new(reviewer, scope, (from, to), outcome, arguments.exceptions.clone());
    let review = review.map_err(|bad| Failure::usage(bad.to_string(), hint(bad)))?;
    if to > now() {
        return Err(Failure::usage(
            format!("the reviewed time ends at {to}, and is not over"),
            "name a --to that has passed; what is still to come can be reviewed later",
        ));
    }
    let archive = context.archive().await?;
    let key = context.signing_key().await?;
    let recorded = review::record(&archive, &*key, &stamp(), &review).await?;
    let answer = Answer {
        reviewer: &arguments.reviewer,
        scope: &arguments.scope,
        from,
        to,
        outcome: outcome.name(),
        exceptions: &arguments.exceptions,
        commit: recorded.commit,
        before: recorded.before,
    };
    if context.json {
        json(&answer)?;
    } else {
        answer.print()?;
    }
    Ok(Exit::Fine)
}

impl Answer<'_> {
    fn print(&self) -> Result<(), Failure> {
        data(&format!("{} reviewed {}", escape::line(self.reviewer), escape::line(self.scope)))?;
        data(&format!("from {} to before {}: {}", self.from, self.to, self.outcome))?;
        for exception in self.exceptions {
            data(&format!("  - {}", escape::line(exception)))?;
        }
        let before = if self.before { "was recorded before" } else { "is recorded" };
        data(&format!("this {before}, in journal commit {}", self.commit))
    }
}

fn hint(bad: BadReview) -> &'static str {
    match bad {
        BadReview::NoTime => "--to must come after --from",
        BadReview::NoExceptions(_) => "say what is wrong with --exception, once for each thing",
        BadReview::Exceptions => "leave --exception out, or use `--outcome with-exceptions`",
        BadReview::NotALine => "write each exception in one line, with an --exception of its own",
    }
}

/// A date means all of that day.
fn end(text: &str) -> Result<Timestamp, Failure> {
    let tomorrow = text.parse::<civil::Date>().ok().and_then(|date| date.tomorrow().ok());
    match tomorrow.and_then(|date| date.to_zoned(TimeZone::UTC).ok()) {
        Some(end) if text.len() == "2026-11-30".len() => Ok(end.timestamp()),
        _ => events::instant(text, "--to"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_ends_with_its_day() {
        assert_eq!(end("2026-11-30").unwrap().to_string(), "2026-12-01T00:00:00Z");
        assert_eq!(end("2026-11-30T12:00").unwrap().to_string(), "2026-11-30T12:00:00Z");
        assert!(end("never").is_err());
    }
}
