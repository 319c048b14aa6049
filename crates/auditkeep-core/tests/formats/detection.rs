//! Telling formats apart, framing, and what a file is known by.

use auditkeep_core::engine::Engine;
use auditkeep_core::format::{Format, Framer, Seen, detect, first_record, time_us};

const CSV: &str = "2026-11-21 03:58:17.123 UTC,\"app\",\"shop\",1,\"h:1\",6b.1,7,\"S\",2026-11-21 03:58:00 UTC,3/12,0,LOG,00000,\"a\nb\",,,,,,,,,\"psql\",\"client backend\",,0\n";
const STDERR: &str = "2026-11-21 03:58:17 UTC:127.0.0.1(45172):app@shop:[28741]:LOG:  a\n\tb\n2026-11-21 03:58:17 UTC:127.0.0.1(45172):app@shop:[28741]:DETAIL:  c\n";
const MARIADB: &str = "20261121 03:44:10,vm,a,h,5,7,QUERY,d,'select 1',0\n";
const AURORA: &str = "1703817810074458,n,a,h,5,7,QUERY,d,'select 1',0\n";

#[test]
fn formats_are_told_by_content() {
    for (name, head, format) in [
        ("error/postgresql.log.2026-11-21-0300.csv", CSV, Format::PostgresCsv),
        ("error/postgresql.log.2026-11-21-0300", CSV, Format::PostgresCsv),
        ("error/postgresql.log.2026-11-21-0300", STDERR, Format::PostgresStderr),
        ("error/postgresql.log.2026-11-21-0300.csv", STDERR, Format::PostgresStderr),
        ("startup", "2024-03-27 01:35:26.270 GMT [394] LOG:  x\n", Format::PostgresStderr),
    ] {
        for engine in [Engine::Postgres, Engine::AuroraPostgresql] {
            assert_eq!(detect(engine, name, head.as_bytes()), Ok(format), "{name}");
        }
    }
    for engine in [Engine::Mysql, Engine::Mariadb, Engine::AuroraMysql] {
        for head in [MARIADB, AURORA] {
            assert_eq!(detect(engine, "audit/x", head.as_bytes()), Ok(Format::ServerAudit));
        }
    }
}

#[test]
fn the_name_decides_where_both_fit() {
    let both = format!("{STDERR}{CSV}");
    assert_eq!(detect(Engine::Postgres, "x.csv", both.as_bytes()), Ok(Format::PostgresCsv));
    assert_eq!(detect(Engine::Postgres, "x", both.as_bytes()), Ok(Format::PostgresStderr));
}

#[test]
fn what_is_no_audit_log_is_refused() {
    let seen = |engine, head: &[u8]| detect(engine, "x", head).unwrap_err().seen;
    assert_eq!(seen(Engine::Postgres, b""), Seen::Empty);
    assert_eq!(seen(Engine::Mysql, b"\x1f\x8b\x08"), Seen::Binary("gzip"));
    assert_eq!(seen(Engine::Postgres, &[STDERR.as_bytes(), b"\0"].concat()), Seen::Binary("binary"));
    assert_eq!(seen(Engine::Mysql, STDERR.as_bytes()), Seen::Text(STDERR.lines().next().unwrap().to_owned()));
    assert_eq!(seen(Engine::Postgres, b"{\"a\x1b\":1}\n"), Seen::Text("{\\\"a\\x1b\\\":1}".to_owned()));
    assert!(matches!(seen(Engine::Postgres, MARIADB.as_bytes()), Seen::Text(_)));
    let message = detect(Engine::Mysql, "slow.log", b"# Time: 1\n").unwrap_err().to_string();
    assert_eq!(
        message,
        "tell the format of log `slow.log` of mysql: no line of it is one of such a log; it begins with `# Time: 1`"
    );
}

#[test]
fn formats_have_names() {
    for format in Format::ALL {
        assert_eq!(format.name().parse(), Ok(format));
        assert_eq!(serde_json::to_string(&format).unwrap(), format!("\"{format}\""));
    }
    assert!("csv".parse::<Format>().is_err());
}

#[test]
fn the_last_record_is_complete_when_the_next_begins_or_nothing_follows() {
    let framed = |format, bytes: &str| {
        let mut framer = Framer::new(format);
        framer.push(bytes.as_bytes());
        (framer.finish(false), framer.finish(true))
    };
    let one = STDERR.len() as u64;
    assert_eq!(framed(Format::PostgresStderr, STDERR), (0, one));
    assert_eq!(framed(Format::PostgresStderr, &format!("{STDERR}{STDERR}")), (one, 2 * one));
    assert_eq!(framed(Format::PostgresStderr, &format!("{STDERR}2026-11-21 03:5")), (0, one + 15));
    assert_eq!(framed(Format::PostgresStderr, &format!("{STDERR}cp: x\n")), (one, one + 6));
    let one = CSV.len() as u64;
    assert_eq!(framed(Format::PostgresCsv, CSV), (one, one));
    assert_eq!(framed(Format::PostgresCsv, &format!("{CSV}{}", CSV.trim_end())), (one, 2 * one - 1));
    assert_eq!(
        framed(Format::ServerAudit, &format!("{MARIADB}2026")),
        (MARIADB.len() as u64, MARIADB.len() as u64 + 4)
    );
}

#[test]
fn a_record_states_its_time() {
    assert_eq!(time_us(Format::ServerAudit, b"1703817810000001,n,x\n"), Some(1_703_817_810_000_001));
    assert_eq!(time_us(Format::ServerAudit, b"junk\n"), None);
    for (format, text) in [(Format::PostgresCsv, CSV), (Format::PostgresStderr, STDERR)] {
        assert!(time_us(format, text.as_bytes()).is_some(), "{format}");
        assert_eq!(time_us(format, b"junk\n"), None);
    }
}

#[test]
fn a_file_is_known_by_its_first_record_however_much_of_it_is_there() {
    let long = format!("20261121 03:44:10,vm,a,h,5,7,QUERY,d,'{}',0\n", "x".repeat(100_000));
    for (format, first) in [
        (Format::PostgresCsv, CSV),
        (Format::PostgresStderr, STDERR),
        (Format::ServerAudit, MARIADB),
        (Format::ServerAudit, &long),
    ] {
        let file = first.repeat(3);
        let identity = &first.as_bytes()[..first.len().min(65_536)];
        for length in (0..file.len()).step_by(if file.len() > 10_000 { 997 } else { 1 }) {
            match first_record(format, &file.as_bytes()[..length], false) {
                Some(found) => assert_eq!(found, identity),
                None => assert!(length < 2 * first.len(), "{format} {length}"),
            }
        }
        assert_eq!(first_record(format, first.as_bytes(), true), Some(identity));
    }
    assert_eq!(first_record(Format::ServerAudit, b"", true), None);
}
