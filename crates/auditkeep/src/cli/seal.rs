//! `auditkeep seal`: all trails under one signed checkpoint, handed to the witnesses.

use std::path::PathBuf;

use auditkeep_archive::standing::Witnessed;
use auditkeep_archive::trail::Stamp;
use auditkeep_pipeline::seal::{Handed, SealPass, seal_and_hand};
use auditkeep_pipeline::witness::{Witness, WitnessError};
use clap::Args;
use serde::Serialize;

use super::{Context, WRITER, now};
use crate::failure::{self, Exit, Failure};
use crate::new_file::NewFile;
use crate::output::{data, escape, json, plural, talk};
use crate::witnesses;

#[derive(Debug, Args)]
#[command(
    after_help = "Run it on a schedule, also when nothing is new: each seal shows that nothing was lost since the one before.\n\
    Exit code 3 means that a trail or a witness contradicts what was sealed before."
)]
pub struct SealArguments {
    /// Write the sealed checkpoint to a new file, too; `auditkeep verify` takes it with --since or --checkpoint
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The answer, in JSON as it stands here.
#[derive(Serialize)]
struct Answer {
    archive_id: String,
    commit: u64,
    time: jiff::Timestamp,
    trails: u64,
    note: String,
    witnesses: Vec<WitnessAnswer>,
    lost: Vec<LostAnswer>,
}

#[derive(Serialize)]
struct WitnessAnswer {
    witness: String,
    reached: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Whether it knows another history than this archive.
    contradicts: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Witnessed>,
    /// It answered, and did not take the seal.
    #[serde(skip)]
    refused: bool,
    #[serde(skip)]
    hint: Option<String>,
}

#[derive(Serialize)]
struct LostAnswer {
    trail: String,
    detail: String,
}

pub async fn run(context: &Context, arguments: &SealArguments) -> Result<Exit, Failure> {
    let archive = context.archive().await?;
    let key = context.signing_key().await?;
    // Before anything is sealed for it.
    let output = arguments.output.as_deref().map(|path| {
        context.check_outside(path)?;
        NewFile::begin(path, 0o644)
    });
    let output = output.transpose()?;
    let (ready, not_ready) = set_up(context).await;
    let stamp = Stamp { time: now(), writer: WRITER.to_owned() };
    let pass = seal_and_hand(&archive, &*key, &stamp, &ready).await?;
    if let Some(mut file) = output {
        file.write(&pass.sealed.bytes)?;
        file.finish()?;
    }
    let known = archive.journal();
    let mut answer = Answer::of(&archive.manifest().id, pass);
    for (witness, failure) in not_ready {
        let last = known.standing.witnesses.get(&witness).cloned();
        answer.witnesses.push(WitnessAnswer::of_failure(witness, &failure, last));
    }
    answer.tell();
    if context.json {
        json(&answer)?;
    } else {
        answer.print()?;
    }
    Ok(answer.exit())
}

async fn set_up(context: &Context) -> (Vec<Box<dyn Witness>>, Vec<(String, Failure)>) {
    let (mut ready, mut not_ready) = (Vec::new(), Vec::new());
    for (name, witness) in witnesses::of(&context.config).await {
        match witness {
            Ok(witness) => ready.push(witness),
            Err(failure) => not_ready.push((name, failure)),
        }
    }
    (ready, not_ready)
}

impl Answer {
    fn of(archive: &str, pass: SealPass) -> Self {
        let SealPass { sealed, handed } = pass;
        let lost = sealed.lost.into_iter().map(|lost| LostAnswer { trail: lost.trail, detail: lost.detail });
        Self {
            archive_id: archive.to_owned(),
            commit: sealed.number,
            time: sealed.time,
            trails: sealed.trails,
            note: sealed.note,
            witnesses: handed.into_iter().map(WitnessAnswer::of).collect(),
            lost: lost.collect(),
        }
    }

    fn tell(&self) {
        for lost in &self.lost {
            let failure = Failure::new(
                format!("trail `{}` is not what was sealed before: {}", lost.trail, lost.detail),
                "run `auditkeep verify` to see what else is wrong, and keep the archive as it is for an investigation",
            );
            talk(&failure.to_string());
        }
        for witness in &self.witnesses {
            let Some(error) = &witness.error else { continue };
            let hint = witness.hint.clone().unwrap_or_else(|| {
                "check that it can be reached; the next `auditkeep seal` covers all that it missed".to_owned()
            });
            talk(&Failure::new(error.clone(), hint).to_string());
        }
    }

    fn print(&self) -> Result<(), Failure> {
        let time = self.time.strftime("%Y-%m-%d %H:%M:%S");
        data(&format!(
            "sealed {} at {time} UTC, in journal commit {}",
            plural(self.trails, "trail"),
            self.commit
        ))?;
        for witness in &self.witnesses {
            let name = escape::line(&witness.witness);
            let missed = if witness.refused { "did not get the seal" } else { "not reached" };
            let state = match (witness.reached, &witness.last) {
                (true, _) => "has the seal".to_owned(),
                (false, Some(last)) => {
                    format!("{missed}; last on {} UTC", last.time.strftime("%Y-%m-%d %H:%M:%S"))
                }
                (false, None) => format!("{missed}, nor one before"),
            };
            data(&format!("witness {name}: {state}"))?;
        }
        if self.witnesses.is_empty() {
            talk(
                "warning: no witness keeps this seal, so nobody can notice that the archive was set back; see `[[witness]]` in the configuration, or `--output`",
            );
        }
        data(&format!("\n{}", self.note.trim_end()))
    }

    fn exit(&self) -> Exit {
        if !self.lost.is_empty() || self.witnesses.iter().any(|witness| witness.contradicts) {
            Exit::Found
        } else if self.witnesses.iter().all(|witness| witness.reached) {
            Exit::Fine
        } else {
            Exit::Failed
        }
    }
}

impl WitnessAnswer {
    fn of(handed: Handed) -> Self {
        let Handed { witness, outcome, last } = handed;
        match outcome {
            Ok(_) => Self {
                witness,
                reached: true,
                error: None,
                contradicts: false,
                last,
                refused: false,
                hint: None,
            },
            Err(error) => Self {
                witness,
                reached: false,
                contradicts: matches!(error, WitnessError::AnotherHistory { .. }),
                refused: !matches!(error, WitnessError::Unreachable { .. }),
                error: Some(failure::with_causes(&error)),
                last,
                hint: failure::hint(&error),
            },
        }
    }

    fn of_failure(witness: String, failure: &Failure, last: Option<Witnessed>) -> Self {
        let error = Some(format!("the witness `{witness}` was not reached: {}", failure.message()));
        let hint = failure.hint().map(str::to_owned);
        Self { witness, reached: false, error, contradicts: false, last, refused: false, hint }
    }
}
