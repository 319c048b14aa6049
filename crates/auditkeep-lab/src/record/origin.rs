//! Writes `ORIGIN.md`: where the recorded logs come from, so that nobody has to believe they are real without asking how.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::instance::Instance;
use super::{HOST, PAUSE, ROTATE_SIZE, ROTATIONS};
use crate::servers::{mariadb, postgres};
use crate::workload::Outcome;
use crate::workload::mariadb::QUERY_LOG_LIMIT;

pub(super) fn text(instances: &[Instance]) -> String {
    let mut text = String::from(
        "# Origin of the recorded logs\n\n\
         Written by `cargo run -p auditkeep-lab --features servers -- record --out crates/auditkeep-lab`; do not edit.\n\
         Each directory is one instance with its log files as the RDS API names them. What the workload's client knows\n\
         about a run, without having looked at a log, is in `../truth/<instance>.json`.\n\n",
    );
    let today = Timestamp::now().strftime("%Y-%m-%d");
    append(&mut text, format_args!("Recorded on {today}, in UTC.\n\n"));
    text.push_str(
        "| instance | engine | server that ran | files | bytes | logins (refused) | statements (failed) |\n",
    );
    text.push_str("|---|---|---|---|---|---|---|\n");
    for instance in instances {
        text.push_str(&row(instance));
    }
    text.push_str(&changes());
    text.push_str(&settings());
    text
}

fn row(instance: &Instance) -> String {
    let (logins, statements) = (&instance.truth.logins, &instance.truth.statements);
    let bytes: usize = instance.files.iter().map(|file| file.bytes.len()).sum();
    format!(
        "| {} | {} {} | {} | {} | {bytes} | {} ({}) | {} ({}) |\n",
        instance.name,
        instance.engine,
        instance.engine_version,
        instance.server_version,
        instance.files.len(),
        logins.len(),
        logins.iter().filter(|login| login.outcome == Outcome::Failure).count(),
        statements.len(),
        statements.iter().filter(|statement| statement.outcome == Outcome::Failure).count(),
    )
}

fn changes() -> String {
    format!(
        "\n## What was changed after recording\n\n\
         - shop-postgres: the path of the server's temporary directory became `/rdsdbdata`. Nothing else.\n\
         - shop-mariadb: the second field, the host name, became `{HOST}`. Nothing else.\n\
         - shop-aurora: Aurora's audit log exists only in AWS. These are the records of a second MariaDB run in the shape\n\
         \x20 that the Aurora User Guide shows: the time is in microseconds (the logged second, plus a made-up fraction that\n\
         \x20 grows in the order of the records), the host name is the instance's name, table records end in `0`, and the\n\
         \x20 records are scattered over four files with some lines out of order. The engine version is a label.\n\n\
         ## The workload\n\n\
         A small shop with the tables customers, orders, payments and employees and a warehouse database. `app` takes\n\
         orders, `alice` (analyst) writes reports and tries what she may not, `bob` (DBA) builds and changes roles,\n\
         `rdsadmin` administers; `mallory`, a wrong password, an unknown database and a forged user name are refused.\n\
         Statements with quotes, newlines, terminal escapes, non-ASCII text, and text that looks like log lines are part\n\
         of it. All names, addresses, cards and passwords are invented. The scenes are {} seconds apart.\n",
        PAUSE.as_secs()
    )
}

fn settings() -> String {
    let mut text = String::from("\n## PostgreSQL settings\n\n```\n");
    for (name, value) in postgres::SETTINGS {
        append(&mut text, format_args!("{name} = '{value}'\n"));
    }
    text.push_str(
        "log_rotation_age = '1min'   # in place of the above\n```\n\n## MariaDB arguments\n\n```\n",
    );
    for argument in mariadb::SETTINGS {
        append(&mut text, format_args!("{argument}\n"));
    }
    append(&mut text, format_args!("--server-audit-file-rotate-size={ROTATE_SIZE}\n"));
    append(&mut text, format_args!("--server-audit-file-rotations={ROTATIONS}\n"));
    append(&mut text, format_args!("--server-audit-query-log-limit={QUERY_LOG_LIMIT}\n```\n"));
    text
}

fn append(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = text.write_fmt(what);
}
