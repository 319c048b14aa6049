//! csvlog with pgAudit in it, errors and what they belong to, and traps C, F, H, J and torn records.

use auditkeep_core::event::{Class, Flags, Outcome};
use auditkeep_core::format::Format;

use crate::collect::{Collected, collect as collect_format, shown, summary};

pub(crate) fn collect(text: impl AsRef<[u8]>) -> Collected {
    collect_format(Format::PostgresCsv, text.as_ref())
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// A record of session `session` with 26 columns.
pub(crate) struct Record<'a> {
    pub(crate) session: &'a str,
    pub(crate) severity: &'a str,
    pub(crate) sqlstate: &'a str,
    pub(crate) message: &'a str,
    pub(crate) context: Option<&'a str>,
    pub(crate) query: Option<&'a str>,
}

impl Default for Record<'_> {
    fn default() -> Self {
        Self {
            session: "6b01.1",
            severity: "LOG",
            sqlstate: "00000",
            message: "",
            context: None,
            query: None,
        }
    }
}

impl Record<'_> {
    pub(crate) fn line(&self) -> String {
        let optional = |text: Option<&str>| text.map(quoted).unwrap_or_default();
        format!(
            "2026-11-21 03:58:17.123 UTC,\"app\",\"shop\",28741,\"127.0.0.1:45172\",{},7,\"SELECT\",\
             2026-11-21 03:58:00 UTC,3/12,0,{},{},{},,,,,{},{},,,\"psql\",\"client backend\",,0\n",
            self.session,
            self.severity,
            self.sqlstate,
            quoted(self.message),
            optional(self.context),
            optional(self.query)
        )
    }
}

pub(crate) fn log(message: &str) -> String {
    Record { message, ..Record::default() }.line()
}

fn error(message: &str, query: &str) -> String {
    Record { severity: "ERROR", sqlstate: "22012", message, query: Some(query), ..Record::default() }.line()
}

#[test]
fn every_column_of_a_record() {
    let collected = collect(log(
        "AUDIT: SESSION,5,2,READ,SELECT,TABLE,public.orders,\"select a, \"\"b\"\" from orders\",\"1,\"\"x,y\"\"\",3",
    ));
    let event = &collected.events[0];
    assert_eq!(event.time_us, Some(1_795_233_497_123_000));
    assert_eq!(shown(event.user_name.as_ref()), "app");
    assert_eq!(shown(event.database_name.as_ref()), "shop");
    assert_eq!(shown(event.client_address.as_ref()), "127.0.0.1");
    assert_eq!(event.client_port, Some(45172));
    assert_eq!(shown(event.application.as_ref()), "psql");
    assert_eq!(shown(event.session_id.as_ref()), "6b01.1");
    assert_eq!(shown(event.statement_id.as_ref()), "5");
    assert_eq!(shown(event.substatement_id.as_ref()), "2");
    assert_eq!(event.class, Class::Read);
    assert_eq!(shown(event.command.as_ref()), "SELECT");
    assert_eq!(shown(event.object_type.as_ref()), "TABLE");
    assert_eq!(shown(event.object_name.as_ref()), "public.orders");
    assert_eq!(shown(event.statement.as_ref()), "select a, \"b\" from orders");
    assert_eq!(shown(event.parameters.as_ref()), "1,\"x,y\"");
    assert_eq!(event.row_count, Some(3));
    assert_eq!(event.outcome, Outcome::Unknown);
    assert_eq!(event.flags, Flags::default());
}

#[test]
fn classes_of_pgaudit() {
    let text: String = [
        "READ,SELECT",
        "WRITE,INSERT",
        "FUNCTION,EXECUTE",
        "ROLE,GRANT",
        "DDL,CREATE TABLE",
        "MISC,SET",
        "DDL,ALTER SYSTEM",
    ]
    .iter()
    .enumerate()
    .map(|(at, kind)| log(&format!("AUDIT: SESSION,{at},1,{kind},,,x,<none>")))
    .collect();
    let classes: Vec<_> = collect(text).events.iter().map(|event| event.class.name()).collect();
    assert_eq!(classes, ["read", "write", "function", "role", "ddl", "misc", "admin"]);
}

#[test]
fn older_versions_have_fewer_columns() {
    let line = log("AUDIT: SESSION,1,1,READ,SELECT,,,select 1,<none>");
    for columns in [",\"client backend\",,0\n", ",,0\n"] {
        let cut = format!("{}\n", line.strip_suffix(columns).unwrap());
        assert_eq!(collect(cut).events.len(), 1);
    }
    assert_eq!(collect(line.replace(",0\n", ",0,new\n")).events.len(), 1);
    assert_eq!(collect(line.replace(",\"psql\",\"client backend\",,0\n", "\n")).problems.len(), 1);
}

/// Trap F, and what pgAudit writes instead of a text.
#[test]
fn words_that_stand_for_nothing() {
    let text = [
        "AUDIT: SESSION,1,1,READ,SELECT,,,<not logged>,<not logged>",
        "AUDIT: SESSION,2,1,READ,SELECT,,,<previously logged>,<previously logged>",
        "AUDIT: SESSION,3,1,READ,SELECT,,,select 1,<none>",
        "AUDIT: SESSION,4,1,READ,SELECT,,,select $1,",
        "AUDIT: SESSION,5,1,READ,SELECT,,,select $1,\"\"\"<none>,\"\"\"",
    ]
    .map(log)
    .concat();
    let events = collect(text).events;
    let told: Vec<_> = events
        .iter()
        .map(|event| {
            (
                shown(event.statement.as_ref()),
                shown(event.parameters.as_ref()),
                event.flags.contains(Flags::STATEMENT_NOT_LOGGED),
            )
        })
        .collect();
    let row = |statement: &str, parameters: &str, flag| (statement.to_owned(), parameters.to_owned(), flag);
    assert_eq!(
        told,
        [
            row("-", "-", true),
            row("-", "-", true),
            row("select 1", "-", false),
            row("select $1", "-", false),
            row("select $1", "\"<none>,\"", false),
        ]
    );
}

#[test]
fn an_error_belongs_to_the_statement_it_quotes() {
    let text = [
        log("AUDIT: SESSION,1,1,READ,SELECT,TABLE,public.t,select 1/a from t,<none>"),
        log("AUDIT: OBJECT,1,1,READ,SELECT,TABLE,public.u,select 1/a from t,<none>"),
        error("division by zero", "select 1/a from t"),
        log("AUDIT: SESSION,2,1,READ,SELECT,,,select 2,<none>"),
        log("disconnection: session time: 0:00:00.010 user=app database=shop host=127.0.0.1 port=45172"),
    ]
    .concat();
    let collected = collect(text);
    assert_eq!(
        summary(&collected.events),
        [
            "read SELECT public.t [select 1/a from t] failure 22012",
            "read SELECT public.u [select 1/a from t] failure 22012",
            "read SELECT - [select 2] success",
            "disconnect DISCONNECT - [-] success",
        ]
    );
    assert_eq!(shown(collected.events[0].error_text.as_ref()), "division by zero");
    assert_eq!(collected.others, ["error of an audited statement"]);
}

#[test]
fn an_error_of_another_statement_is_an_event_of_its_own() {
    let text = [
        log("AUDIT: SESSION,1,1,READ,SELECT,,,select 1,<none>"),
        error("permission denied for table secrets", "select 1 from secrets"),
    ]
    .concat();
    assert_eq!(
        summary(&collect(text).events),
        [
            "read SELECT - [select 1] success",
            "read SELECT - [select 1 from secrets] failure 22012 +error_only",
        ]
    );
}

#[test]
fn records_of_other_sessions_and_notes_do_not_tell_an_outcome() {
    let other = Record { session: "6b01.2", ..Record::default() };
    let text = [
        log("AUDIT: SESSION,1,1,DDL,ALTER TABLE,TABLE,public.t,alter table t add a int,<none>"),
        Record { message: "AUDIT: SESSION,1,1,READ,SELECT,,,select 1,<none>", ..other }.line(),
        Record { severity: "WARNING", message: "slow", ..Record::default() }.line(),
        Record {
            message: "process 28741 still waiting for AccessExclusiveLock",
            query: Some("alter table t add a int"),
            ..Record::default()
        }
        .line(),
        error("canceling statement due to lock timeout", "alter table t add a int;"),
    ]
    .concat();
    let collected = collect(text);
    assert_eq!(
        summary(&collected.events),
        [
            "ddl ALTER TABLE public.t [alter table t add a int] failure 22012",
            "read SELECT - [select 1] unknown",
        ]
    );
    assert_eq!(collected.others, ["server log", "server log", "error of an audited statement"]);
}

#[test]
fn ways_in_which_an_audited_text_differs_from_the_statement() {
    for (audited, query, failed) in [
        ("select 2/0", "select 1; /* x */ select 2/0 ;", true),
        ("select 2/0", "-- a\nselect 2/0", true),
        ("create role r password <REDACTED>", "create role r password 'secret'", true),
        ("prepare p as select 1/$1", "execute p(0)", true),
        ("select 1", "select 1/0", false),
        ("select 1", "with a as (select 1) select 1/0 from a", false),
    ] {
        let text =
            [log(&format!("AUDIT: SESSION,1,1,READ,SELECT,,,{audited},<none>")), error("no", query)].concat();
        let outcome = collect(text).events[0].outcome;
        assert_eq!(outcome == Outcome::Failure, failed, "{audited} | {query}");
    }
}

#[test]
fn an_execute_that_fails_is_not_the_one_before_it() {
    let prepared = log("AUDIT: SESSION,7,1,READ,SELECT,,,prepare p as select 1/$1,<none>");
    let executed = log("AUDIT: SESSION,7,2,MISC,EXECUTE,,,execute p(1),<none>");
    let failed = error("division by zero", "execute p(0)");
    let outcomes =
        |text: String| -> Vec<_> { collect(text).events.iter().map(|event| event.outcome).collect() };
    assert_eq!(outcomes(format!("{prepared}{failed}")), [Outcome::Failure]);
    assert_eq!(
        outcomes(format!("{prepared}{executed}{failed}")),
        [Outcome::Success, Outcome::Success, Outcome::Failure]
    );
    let preparation = prepared.replace("SELECT,,,", "PREPARE,,,");
    assert_eq!(outcomes(format!("{preparation}{failed}")), [Outcome::Success, Outcome::Failure]);
}

#[test]
fn an_error_within_a_function_belongs_to_what_its_context_quotes() {
    let error = Record {
        severity: "ERROR",
        sqlstate: "23505",
        message: "duplicate key",
        context: Some("SQL statement \"insert into t values (1)\"\nPL/pgSQL function f() line 3"),
        query: Some("select f()"),
        ..Record::default()
    };
    let text = |audited: &str| {
        [log(&format!("AUDIT: SESSION,1,1,WRITE,INSERT,,,{audited},<none>")), error.line()].concat()
    };
    assert_eq!(collect(text("insert into t values (1)")).events[0].outcome, Outcome::Failure);
    // Whether this had ended when the function failed cannot be told.
    assert_eq!(collect(text("delete from u")).events[0].outcome, Outcome::Unknown);
}

/// Trap C.
#[test]
fn a_raised_message_is_no_record_of_pgaudit() {
    let raise = Record {
        message: "AUDIT: SESSION,1,1,DDL,DROP TABLE,TABLE,public.t,drop table t,<none>",
        context: Some("PL/pgSQL function inline_code_block line 1 at RAISE"),
        query: Some("do $$begin raise log 'AUDIT: …'; end$$"),
        ..Record::default()
    };
    let mut context_only = Record { ..raise };
    context_only.query = None;
    let collected = collect([raise.line(), context_only.line()].concat());
    assert_eq!(
        summary(&collected.events),
        [
            "misc RAISE - [do $$begin raise log 'AUDIT: …'; end$$] unknown +unverified",
            "misc RAISE - [PL/pgSQL function inline_code_block line 1 at RAISE] unknown +unverified",
        ]
    );
    let raised_login = Record { message: "connection authorized: user=root database=x", ..raise };
    assert_eq!(collect(raised_login.line()).others, ["server log"]);
}

/// Trap J: other records with statements are counted and left alone.
#[test]
fn other_records() {
    let background = "2026-11-21 03:58:17.123 UTC,,,28726,,6b01.3,1,,2026-11-21 03:58:00 UTC,,0,LOG,00000,\"checkpoint starting: time\",,,,,,,,,\"\",\"checkpointer\",,0\n";
    let text = [
        background.to_owned(),
        background.replace("LOG,00000", "FATAL,58P01"),
        log("statement: select 1"),
        log("execute p1: select $1"),
        log("duration: 0.123 ms  parse <unnamed>: select 1"),
        log("temporary file: path \"base/pgsql_tmp/x\", size 1"),
        "\n".to_owned(),
    ]
    .concat();
    let collected = collect(text);
    assert_eq!(collected.events, []);
    assert_eq!(
        collected.others,
        [
            "server log",
            "server log",
            "log_statement",
            "log_statement",
            "log_duration",
            "server log",
            "empty line"
        ]
    );
}

/// Trap E: a statement that holds whole records of this log.
#[test]
fn a_statement_that_looks_like_records() {
    let inner = log("AUDIT: SESSION,9,1,ROLE,DROP ROLE,,,drop role root,<none>");
    let statement = format!("select '{inner}'");
    let message = format!("AUDIT: SESSION,1,1,READ,SELECT,,,{},<none>", quoted(&statement));
    let collected = collect(log(&message));
    assert_eq!(collected.events.len(), 1);
    assert_eq!(shown(collected.events[0].statement.as_ref()), statement);
}

#[test]
fn a_torn_record_costs_only_itself() {
    let good = log("AUDIT: SESSION,1,1,READ,SELECT,,,\"select a,\n b\",<none>");
    let inner = log("AUDIT: SESSION,9,1,ROLE,DROP ROLE,,,drop role root,<none>");
    let whole =
        log(&format!("AUDIT: SESSION,2,1,READ,SELECT,,,{},<none>", quoted(&format!("select '{inner}', x"))));
    for torn_at in 1..whole.len() - 1 {
        if !whole.is_char_boundary(torn_at) {
            continue;
        }
        // A new server process begins its record behind the torn one, on the same line or on the next.
        for gap in ["", "\n"] {
            let text = format!("{good}{}{gap}{good}{good}", &whole[..torn_at]);
            let collected = collect(&text);
            let statements: Vec<_> =
                collected.events.iter().map(|event| shown(event.statement.as_ref())).collect();
            assert!(
                collected.events.iter().all(|event| event.class == Class::Read),
                "{torn_at} {:?}",
                summary(&collected.events)
            );
            let least = if gap.is_empty() { 2 } else { 3 };
            assert!(statements.len() >= least, "torn at {torn_at}: {statements:?}");
        }
    }
}

#[test]
fn malformed_payloads_are_problems() {
    for payload in [
        "",
        "SESSION,1,1,READ,SELECT,,,select 1",
        "SESSION,x,1,READ,SELECT,,,select 1,<none>",
        "SESSION,1,1,OTHER,SELECT,,,select 1,<none>",
        "SESSION,1,1,READ,SELECT,,,select 1,<none>,x",
        "SESSION,1,1,READ,SELECT,,,select 1,<none>,1,2",
        "SESSION,1,1,READ,SELECT,,,\"select 1\"x,<none>",
        "NEITHER,1,1,READ,SELECT,,,select 1,<none>",
    ] {
        let collected = collect(log(&format!("AUDIT: {payload}")));
        assert_eq!(collected.problems.len(), 1, "{payload}");
    }
}

#[test]
fn a_zone_other_than_utc_is_said_to_be_local() {
    let text = log("AUDIT: SESSION,1,1,READ,SELECT,,,select 1,<none>").replace("17.123 UTC", "17.123 CET");
    assert_eq!(collect(text).events[0].flags, Flags::LOCAL_TIME);
}

#[test]
fn sockets_and_ipv6() {
    let line = log("AUDIT: SESSION,1,1,READ,SELECT,,,select 1,<none>");
    for (remote, address, port) in [("[local]", "[local]", None), ("::1:58118", "::1", Some(58118))] {
        let event = &collect(line.replace("127.0.0.1:45172", remote)).events[0];
        assert_eq!((shown(event.client_address.as_ref()).as_str(), event.client_port), (address, port));
    }
}
