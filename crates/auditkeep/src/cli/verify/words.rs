//! What `verify` says to people: the verdicts, what they are of, and how far that reaches.

use auditkeep_archive::layout::JOURNAL;
use auditkeep_archive::verify::{Depth, Report, Verification};

use crate::failure::Failure;
use crate::output::table::Rows;
use crate::output::{bytes, count, data, escape, plural, talk};
use crate::witnesses::Asked;

/// One line per verdict, and the sum.
pub fn print(verification: &Verification, report: &Report, holds: bool) -> Result<(), Failure> {
    data(&format!(
        "checked {}, {}, {} with {} of audit log",
        plural(report.trails, "trail"),
        plural(report.commits, "commit"),
        plural(report.segments, "segment"),
        bytes(report.raw_bytes)
    ))?;
    if !report.findings.is_empty() {
        let mut table = Rows::new(&["VERDICT", "OBJECT", "WHY"]);
        for finding in &report.findings {
            table.add([finding.verdict.name(), &finding.object, &finding.detail]);
        }
        table.print()?;
    }
    if report.more_findings > 0 {
        data(&format!("and {} more findings", count(report.more_findings)))?;
    }
    data(&match (holds, report.against) {
        (true, _) => format!("OK: {}", what_holds(verification, report)),
        (false, 0) => "FAILED: there are objects that no commit names, or gaps".to_owned(),
        (false, against) => format!("FAILED: {} against this archive", plural(against, "finding")),
    })
}

/// No more than was looked at.
fn what_holds(verification: &Verification, report: &Report) -> String {
    let trails = &verification.trails;
    let of_journal = trails.iter().any(|trail| trail == JOURNAL);
    let asked = if trails.is_empty() { "" } else { " that was asked for" };
    if let Some(since) = &verification.since {
        let name = escape::line(&since.name);
        return match report.commits {
            0 => format!("nothing was added to any trail{asked} after the checkpoint {name}"),
            _ => format!(
                "what was added to each trail{asked} after the checkpoint {name} is there and unaltered"
            ),
        };
    }
    match report.commits {
        0 if trails.is_empty() => "the archive is empty".to_owned(),
        0 if of_journal => "the journal is there and unaltered, up to its newest commit".to_owned(),
        0 => "there is no commit in any trail that was asked for".to_owned(),
        _ => {
            format!("up to the newest commit of each trail{asked}, everything is there and unaltered")
        }
    }
}

/// How far the answer reaches. `failed` of the witnesses could not be compared.
pub(super) fn print_reach(
    verification: &Verification,
    (asked, failed): (&[Asked], usize),
    report: &Report,
    holds: bool,
) -> Result<(), Failure> {
    for checkpoint in verification.checkpoints.iter().chain(&verification.since).filter(|_| holds) {
        data(&format!("it has all that the checkpoint {} covers", escape::line(&checkpoint.name)))?;
    }
    if failed > 0 {
        data(&format!("not all witnesses could be compared: {failed} of {} failed", asked.len()))?;
    }
    if verification.checkpoints.is_empty() && verification.since.is_none() && report.commits > 0 {
        talk(
            "note: no checkpoint from elsewhere was compared, so a tail that was cut off everywhere could not be seen; see `auditkeep seal`",
        );
    }
    if verification.depth == Depth::Shallow {
        talk("note: no segment was read; without `--shallow` their bytes are checked, too");
    }
    Ok(())
}
