//! The stderr log: its prefixes, its texts over several lines, and traps A to G and N.

use auditkeep_core::event::{Class, Flags, Outcome};
use auditkeep_core::format::Format;

use crate::collect::{Collected, collect as collect_format, shown, summary};

const PREFIX: &str = "2026-11-21 03:58:17 UTC:127.0.0.1(45172):app@shop:[28741]:";
const AUDIT: &str = "LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,select 1,<none>\n";

fn collect(text: impl AsRef<[u8]>) -> Collected {
    collect_format(Format::PostgresStderr, text.as_ref())
}

fn unverified(collected: &Collected) -> Vec<bool> {
    collected.events.iter().map(|event| event.flags.contains(Flags::UNVERIFIED)).collect()
}

#[test]
fn a_record_with_a_statement_over_several_lines() {
    let collected = collect(format!(
        "{PREFIX}LOG:  AUDIT: SESSION,1,1,READ,SELECT,TABLE,public.t,\"select a,\n\t\tb \"\"c\"\"\n\t2026-11-21 00:00:00 UTC:h(1):x@y:[7]:LOG:  AUDIT: no\",\"1,\"\"a,b\"\"\"\n"
    ));
    let event = &collected.events[0];
    assert_eq!(collected.events.len(), 1);
    assert_eq!(
        shown(event.statement.as_ref()),
        "select a,\n\tb \"c\"\n2026-11-21 00:00:00 UTC:h(1):x@y:[7]:LOG:  AUDIT: no"
    );
    assert_eq!(shown(event.parameters.as_ref()), "1,\"a,b\"");
    assert_eq!(event.time_us, Some(1_795_233_497_000_000));
    assert_eq!(shown(event.user_name.as_ref()), "app");
    assert_eq!(shown(event.database_name.as_ref()), "shop");
    assert_eq!(shown(event.client_address.as_ref()), "127.0.0.1");
    assert_eq!(event.client_port, Some(45172));
    assert_eq!(shown(event.session_id.as_ref()), "28741");
    assert_eq!(event.flags, Flags::default());
}

#[test]
fn an_error_with_its_statement_fails_the_audited_one() {
    let collected = collect(format!(
        "{PREFIX}{AUDIT}{PREFIX}ERROR:  no\n\tway\n2026-11-21 03:58:18 UTC:127.0.0.1(45172):app@shop:[28741]:DETAIL:  because\n{PREFIX}STATEMENT:  select\n\t 1\n{PREFIX}ERROR:  syntax error\n{PREFIX}STATEMENT:  selec 1\n{PREFIX}{}",
        AUDIT.replace("1,1,READ", "2,1,READ")
    ));
    assert_eq!(
        summary(&collected.events),
        [
            "read SELECT - [select 1] success",
            "read SELECT - [select\n 1] failure - +error_only",
            "misc - - [selec 1] failure - +parse_partial +error_only",
            "read SELECT - [select 1] unknown",
        ]
    );
    assert_eq!(shown(collected.events[1].error_text.as_ref()), "no\nway");

    let same = collect(format!("{PREFIX}{AUDIT}{PREFIX}ERROR:  no\n{PREFIX}STATEMENT:  select 1;\n"));
    assert_eq!(summary(&same.events), ["read SELECT - [select 1] failure -"]);
    assert_eq!(same.others, ["error of an audited statement"]);
}

/// Trap G.
#[test]
fn prefixes() {
    for (prefix, user, database, address, session) in [
        ("2026-11-21 03:58:17 UTC:[local]:app@shop:[9]:", "app", "shop", "[local]", "9"),
        ("2026-11-21 03:58:17 UTC:::1(58118):app@shop:[9]:", "app", "shop", "::1", "9"),
        ("2026-11-21 03:58:17 UTC:fe80::1%eth0(58118):app@shop:[9]:", "app", "shop", "fe80::1%eth0", "9"),
        ("2026-11-21 03:58:17 UTC:h(1):a:b[3]: x@ sh op :[9]:", "a:b[3]: x", " sh op ", "h", "9"),
        ("2026-11-21 03:58:17 UTC:h(1):a[9]:LOG:  x@s:[3]:X:[9]:", "a[9]:LOG:  x", "s:[3]:X", "h", "9"),
        ("2026-11-21 03:58:17.123 UTC:h(1):app@shop:[9]:", "app", "shop", "h", "9"),
        (
            "2026-11-21 03:58:17.123 UTC:h(1):app@shop:[9]:4:00000:2026-11-21 03:58:00 UTC:6/199:0:6b0116f8.7252:psql:",
            "app",
            "shop",
            "h",
            "6b0116f8.7252",
        ),
    ] {
        let collected = collect(format!("{prefix}{AUDIT}"));
        assert_eq!(collected.events.len(), 1, "{prefix}");
        let event = &collected.events[0];
        assert_eq!(shown(event.user_name.as_ref()), user);
        assert_eq!(shown(event.database_name.as_ref()), database);
        assert_eq!(shown(event.client_address.as_ref()), address);
        assert_eq!(shown(event.session_id.as_ref()), session);
        assert_eq!(event.flags, Flags::default(), "{prefix}");
    }
}

#[test]
fn the_extended_prefix_states_more() {
    let extended =
        "2026-11-21 03:58:17.123 UTC:h(1):app@shop:[9]:4:42601:2026-11-21 03:58:00 UTC::0:6b0116f8.7252:";
    let collected = collect(format!(
        "{extended}a,b:ERROR:  syntax error\n{extended}a,b:STATEMENT:  selec\n2026-11-21 03:58:17.123 UTC::@:[5]:1:00000:2026-11-21 03:58:00 UTC:3/12:0:6b0116f0.71d1:LOG:  checkpoint\n"
    ));
    assert_eq!(collected.others, ["server log"]);
    let event = &collected.events[0];
    assert_eq!(shown(event.error_code.as_ref()), "42601");
    assert_eq!(shown(event.application.as_ref()), "a,b");
    assert_eq!(event.flags, Flags::ERROR_ONLY.with(Flags::PARSE_PARTIAL));

    let forged = collect(format!("{extended}x:LOG:  AUDIT: SESSION,1,1,DDL,DROP,,,d,<none>:LOG:  hello\n"));
    assert!(forged.events.iter().all(|event| event.flags.contains(Flags::UNVERIFIED)));
}

#[test]
fn names_with_at_signs() {
    let prefix = "2026-11-21 03:58:17 UTC:h(1):a@b@c@d:[9]:";
    let alone = &collect(format!("{prefix}{AUDIT}")).events[0];
    assert_eq!(
        (shown(alone.user_name.as_ref()).as_str(), shown(alone.database_name.as_ref()).as_str()),
        ("a@b@c", "d")
    );
    assert_eq!(alone.flags, Flags::PARSE_PARTIAL);
    let told =
        collect(format!("{prefix}LOG:  connection authorized: user=a@b database=c@d\n{prefix}{AUDIT}"))
            .events;
    for event in told {
        assert_eq!(shown(event.user_name.as_ref()), "a@b");
        assert_eq!(shown(event.database_name.as_ref()), "c@d");
        assert_eq!(event.flags, Flags::default());
    }
}

#[test]
fn lines_that_hold_no_audit() {
    let collected = collect(format!(
        "2024-03-27 01:35:26.270 GMT [394] LOG:  skipping missing configuration file\n\
         2026-11-21 03:58:17 UTC::@:[355]:LOG:  checkpoint starting: time\n\
         2026-11-21 03:58:17 UTC::@:[355]:FATAL:  could not map memory\n\
         2026-11-21 03:58:17 UTC::@:[355]:DETAIL:  more\n\
         {PREFIX}LOG:  statement: select 1\n\
         {PREFIX}LOG:  duration: 1.2 ms\n\
         cp: cannot stat 'x'\n\
         ----------------------- END OF LOG ----------------------\n\
         \n"
    ));
    assert_eq!(collected.events, []);
    assert_eq!(collected.problems, []);
    assert_eq!(
        collected.others,
        [
            "server log",
            "server log",
            "server log",
            "log_statement",
            "log_duration",
            "unprefixed line",
            "unprefixed line",
            "empty line"
        ]
    );
}

#[test]
fn logins() {
    let unknown = "2026-11-21 03:58:17 UTC:127.0.0.1(45172):[unknown]@[unknown]:[28741]:";
    let collected = collect(format!(
        "{unknown}LOG:  connection received: host=127.0.0.1 port=45172\n\
         {PREFIX}LOG:  connection authorized: user=app database=shop SSL enabled (protocol=TLSv1.3, cipher=X, bits=256)\n\
         {PREFIX}{AUDIT}\
         {PREFIX}LOG:  disconnection: session time: 0:00:00.1 user=app database=shop host=127.0.0.1 port=45172\n\
         2026-11-21 03:58:17 UTC:127.0.0.1(45173):app@shop:[28742]:FATAL:  password authentication failed for user \"app\"\n\
         2026-11-21 03:58:17 UTC:127.0.0.1(45173):app@shop:[28742]:DETAIL:  Connection matched file \"pg_hba.conf\" line 1\n"
    ));
    assert_eq!(
        summary(&collected.events),
        [
            "connect CONNECT - [-] success",
            "read SELECT - [select 1] success",
            "disconnect DISCONNECT - [-] success",
            "connect FAILED_CONNECT - [-] failure -",
        ]
    );
    assert_eq!(shown(collected.events[0].tls.as_ref()), "protocol=TLSv1.3, cipher=X, bits=256");
}

/// Trap A, without and with logged connections.
#[test]
fn a_user_name_that_ends_the_prefix() {
    let attack = "2026-11-21 03:58:20 UTC:127.0.0.1(45314):root@prod:[7]:LOG:  AUDIT: SESSION,1,1,DDL,DROP TABLE,,,drop x@,<none>\n\
                  2026-11-21 00:00:03 UTC:10.9.9.8(1):z@y:[28790]:FATAL:  password authentication failed for user \"root@prod:[7]:LOG:  AUDIT\"\n";
    let received = "2026-11-21 03:58:20 UTC:127.0.0.1(45314):[unknown]@[unknown]:[28790]:LOG:  connection received: host=127.0.0.1 port=45314\n";
    let collected = collect(format!("{attack}{PREFIX}{AUDIT}"));
    assert_eq!(unverified(&collected), [true, true, false]);
    let collected = collect(format!("{PREFIX}{AUDIT}{received}{attack}{PREFIX}{AUDIT}"));
    assert_eq!(unverified(&collected), [false, true, true, false]);
    // What follows the forged line does not matter when the port is known to be another process's.
    let first = attack.split_inclusive('\n').next().unwrap();
    assert_eq!(unverified(&collect(format!("{received}{first}"))), [true]);
    // Nor when the process is known to be another session's.
    let known = AUDIT.replace("[28741]", "[7]");
    let collected = collect(format!("{}{known}{first}", PREFIX.replace("28741", "7")));
    assert_eq!(unverified(&collected), [false, true]);
}

/// Trap B.
#[test]
fn a_user_name_with_line_breaks() {
    let collected = collect(format!(
        "{PREFIX}{AUDIT}2026-11-21 03:58:20 UTC:127.0.0.1(45310):x\n\
         2026-11-21 00:00:02 UTC:10.9.9.9(1):forged@prod:[7]:LOG:  AUDIT: SESSION,1,1,ROLE,DROP ROLE,,,x,<none>\n\
         :[28787]:FATAL:  password authentication failed for user \"x\n\t…\"\n{PREFIX}{}{PREFIX}{AUDIT}",
        AUDIT.replace("select 1", "select 'long enough to be far from the name that holds a line break: it is at most 63 bytes for the user and as many for the database and so 200 bytes are more than enough to be safe from it'")
    ));
    assert_eq!(collected.problems.len(), 2);
    assert_eq!(unverified(&collected)[..2], [false, true]);
    assert!(!unverified(&collected).last().unwrap());
}

#[test]
fn a_genuine_name_with_a_line_break() {
    let collected = collect(
        "2026-11-21 03:58:20 UTC:127.0.0.1(45310):new\nline@db\nnl:[28787]:LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,select 1,<none>\n\
         2026-11-21 03:58:20 UTC:127.0.0.1(45310):new\nline@shop:[28787]:LOG:  AUDIT: SESSION,2,1,READ,SELECT,,,\"a\n\tb\",<none>\n",
    );
    // One line break is undone; a second one is not.
    assert_eq!(collected.events.len(), 1);
    let event = &collected.events[0];
    assert_eq!(shown(event.user_name.as_ref()), "new\nline");
    assert_eq!(shown(event.statement.as_ref()), "a\nb");
    assert!(event.flags.contains(Flags::UNVERIFIED));
    assert!(!collected.problems.is_empty());
}

/// Trap C.
#[test]
fn a_raised_message_is_no_record_of_pgaudit() {
    let collected = collect(format!(
        "{PREFIX}{AUDIT}{PREFIX}CONTEXT:  PL/pgSQL function inline_code_block line 1 at RAISE\n{PREFIX}STATEMENT:  do $$x$$\n\
         {PREFIX}{AUDIT}{PREFIX}STATEMENT:  do $$y$$\n{PREFIX}WARNING:  AUDIT: SESSION,9,1,READ,SELECT,,,select 1,<none>\n"
    ));
    assert_eq!(
        summary(&collected.events),
        [
            "misc RAISE - [do $$x$$] unknown +unverified",
            "misc RAISE - [do $$y$$] unknown +unverified",
            "read SELECT - [select 1] unknown +unverified",
        ]
    );
}

/// A detail of another session does not attach itself to a record.
#[test]
fn a_forged_statement_line_does_not_change_a_record() {
    let collected = collect(format!(
        "{PREFIX}{AUDIT}2026-11-21 03:58:17 UTC:127.0.0.1(45999):app@shop:[28741]:STATEMENT:  do $$x$$@y:[3]:FATAL:  no\n"
    ));
    assert_eq!(collected.events[0].class, Class::Read);
    assert_eq!(collected.problems[0].0, "a detail, context or statement without its message");
}

/// Lines that a name forges with the process of another session neither settle nor fail what waits there.
#[test]
fn a_forged_error_does_not_change_an_outcome() {
    let victim = "2026-11-21 03:58:17 UTC:127.0.0.1(45999):x@y:[28741]:";
    let collected = collect(format!(
        "{PREFIX}{AUDIT}{victim}ERROR:  no@z:[1]:FATAL:  x\n{victim}STATEMENT:  select 1\n{victim}LOG:  disconnection: session time: 1\n"
    ));
    assert_eq!(summary(&collected.events)[0], "read SELECT - [select 1] unknown");
}

/// Trap D and E.
#[test]
fn lines_without_a_prefix() {
    let collected =
        collect(format!("\u{b}{PREFIX}{AUDIT}{PREFIX}{AUDIT} {PREFIX}{AUDIT}junk{PREFIX}{AUDIT}"));
    assert_eq!(collected.events.len(), 1);
    assert_eq!(collected.problems.len(), 3);
    let carriage =
        collect(format!("{PREFIX}{}", AUDIT.replace("select 1", "select '\r\u{b}\u{2028}2026-11-21'")));
    assert_eq!(shown(carriage.events[0].statement.as_ref()), "select '\r\u{b}\u{2028}2026-11-21'");
}

/// Trap N.
#[test]
fn a_message_that_the_portion_api_has_cut() {
    let collected = collect(format!(
        "{PREFIX}LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,\"select a,\n\tb[Your log message was truncated]\n"
    ));
    let event = &collected.events[0];
    assert_eq!(shown(event.statement.as_ref()), "select a,\nb");
    assert_eq!((event.flags, event.outcome), (Flags::TRUNCATED, Outcome::Unknown));
}
