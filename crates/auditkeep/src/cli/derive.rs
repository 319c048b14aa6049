//! `auditkeep derive`: what is new in the archive, into the tables.

use auditkeep_archive::archive::Archive;
use auditkeep_core::event::columns::Accounting;
use auditkeep_pipeline::derive::{TrailPass, derive};
use serde::Serialize;

use super::Context;
use crate::failure::{self, Exit, Failure};
use crate::output::{bytes, data, escape, json, plural, talk};
use crate::progress::Bar;

/// What came of a derivation, summed over all trails.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Derivation {
    pub commits: u64,
    pub events: u64,
    pub problems: u64,
    /// Bytes that were read, all of them accounted for.
    pub bytes: u64,
    /// Archived bytes after the last whole record of each log, which wait for the rest of theirs.
    pub unfinished_bytes: u64,
    /// What will never be derived, because it was given up before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub given_up: Vec<GivenUp>,
    pub failures: Vec<DeriveFailure>,
}

#[derive(Clone, Debug, Serialize)]
pub struct GivenUp {
    pub trail: String,
    /// Number of the last commit.
    pub through: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct DeriveFailure {
    pub trail: String,
    pub error: String,
    #[serde(skip)]
    hint: Option<String>,
}

pub async fn run(context: &Context) -> Result<Exit, Failure> {
    let archive = context.archive().await?;
    let derivation = all(context, &archive).await?;
    if context.json {
        json(&derivation)?;
    } else {
        data(&derivation.summary())?;
    }
    Ok(derivation.exit())
}

/// Derives every trail. Failures of single trails are told and remembered, not returned.
pub async fn all(context: &Context, archive: &Archive) -> Result<Derivation, Failure> {
    let bar = Bar::spinner("deriving");
    let tables = context.tables().await?;
    let progress =
        |pass: &TrailPass| bar.say(&format!("{}  {}", pass.trail, plural(pass.accounting.events, "event")));
    let passes = derive(archive, &tables, &progress).await?;
    drop(bar);
    let mut derivation = Derivation::default();
    for pass in passes {
        derivation.add(pass);
    }
    for GivenUp { trail, through } in &derivation.given_up {
        talk(&format!(
            "trail {}: the segments of its commits up to {through} were given up after their retention; events are derived from the later ones",
            escape::line(trail)
        ));
    }
    for failure in &derivation.failures {
        failure.tell();
    }
    Ok(derivation)
}

impl Derivation {
    fn add(&mut self, pass: TrailPass) {
        let Accounting { events, problems, .. } = pass.accounting;
        self.commits += pass.commits;
        self.events += events;
        self.problems += problems;
        self.bytes += pass.accounting.bytes();
        self.unfinished_bytes += pass.unfinished;
        if let Some(through) = pass.given_up_through {
            self.given_up.push(GivenUp { trail: pass.trail.clone(), through });
        }
        if let Some(error) = pass.error {
            let (error, hint) = (failure::with_causes(&error), failure::hint(&error));
            self.failures.push(DeriveFailure { trail: pass.trail, error, hint });
        }
    }

    pub fn summary(&self) -> String {
        if self.commits == 0 {
            let nothing =
                if self.failures.is_empty() { "nothing new to derive" } else { "nothing was derived" };
            return nothing.to_owned();
        }
        let problems = match self.problems {
            0 if !self.failures.is_empty() => "some trails failed".to_owned(),
            0 if self.unfinished_bytes > 0 => "every whole record was read".to_owned(),
            0 => "every record was read".to_owned(),
            problems => format!("{} (see the table `problems`)", plural(problems, "problem")),
        };
        let unfinished = match self.unfinished_bytes {
            0 => String::new(),
            waiting => {
                format!("; {} after the last whole record wait for the rest of theirs", bytes(waiting))
            }
        };
        format!(
            "derived {} from {}; {problems}{unfinished}",
            plural(self.events, "event"),
            plural(self.commits, "commit")
        )
    }

    pub fn exit(&self) -> Exit {
        if self.failures.is_empty() { Exit::Fine } else { Exit::Failed }
    }
}

impl DeriveFailure {
    fn tell(&self) {
        let failure = Failure::new(format!("deriving trail `{}` failed: {}", self.trail, self.error), "");
        let hint = self.hint.clone().unwrap_or_else(|| "run `auditkeep derive` again".to_owned());
        talk(&failure.with_hint(hint).to_string());
    }
}
