//! The server_audit dialects, and traps O to V.

use auditkeep_core::event::{Class, Event, Flags, Outcome};
use auditkeep_core::format::Format;

use crate::collect::{Collected, shown, summary};

fn collect(bytes: impl AsRef<[u8]>) -> Collected {
    crate::collect::collect(Format::ServerAudit, bytes.as_ref())
}

fn only(line: impl AsRef<[u8]>) -> Event<'static> {
    crate::collect::only(Format::ServerAudit, line.as_ref())
}

#[test]
fn a_mariadb_statement() {
    let event =
        only("20261121 03:44:10,db-1,app,10.0.0.7,33,4711,QUERY,shop,'select * from t where a=\\'x\\'',0\n");
    assert_eq!(event.time_us, Some(1_795_232_650_000_000));
    assert_eq!(shown(event.user_name.as_ref()), "app");
    assert_eq!(shown(event.client_address.as_ref()), "10.0.0.7");
    assert_eq!(event.client_port, None);
    assert_eq!(shown(event.session_id.as_ref()), "33");
    assert_eq!(shown(event.statement_id.as_ref()), "4711");
    assert_eq!(shown(event.database_name.as_ref()), "shop");
    assert_eq!(shown(event.statement.as_ref()), "select * from t where a='x'");
    assert_eq!(shown(event.command.as_ref()), "SELECT");
    assert_eq!((event.class, event.outcome), (Class::Read, Outcome::Success));
    assert_eq!(event.flags, Flags::LOCAL_TIME);
}

#[test]
fn an_rds_mysql_statement_has_twelve_fields() {
    let event = only(
        "20240323 13:36:08,ip-10-0-0-1,app,10.0.0.7,4,9,QUERY,,'INSERT INTO t VALUES (1,\\'a,0\\')',1062,,",
    );
    assert_eq!(shown(event.statement.as_ref()), "INSERT INTO t VALUES (1,'a,0')");
    assert_eq!((event.class, event.outcome), (Class::Write, Outcome::Failure));
    assert_eq!(shown(event.error_code.as_ref()), "1062");
    assert_eq!(event.database_name, None);
}

#[test]
fn an_aurora_statement_has_an_exact_time() {
    let event = only("1703817810074458,node-1,app,localhost,223153,20070830,QUERY,,'SELECT 1',0\n");
    assert_eq!(event.time_us, Some(1_703_817_810_074_458));
    assert_eq!(event.flags, Flags::default());
}

#[test]
fn connections_of_every_dialect() {
    let text = "20261121 03:44:10,vm,a,h,53,0,CONNECT,shop,,0\n\
                20261121 03:44:10,vm,a,h,53,0,FAILED_CONNECT,,,1045\n\
                20261121 03:44:10,vm,a,h,53,0,DISCONNECT,shop,,0\n\
                20261121 03:44:10,vm,a,10.0.0.7:4711,53,0,CONNECT,shop,TLSv1.3,0\n\
                20221201 14:07:05,ip-1,a,h,821,0,CONNECT,,,0,SOCKET\n\
                20221201 14:07:05,ip-1,a,h,821,0,CONNECT,shop,,0,SSL\n\
                20221201 14:07:05,ip-1,a,h,821,0,FAILED_CONNECT,,,1045,1\n\
                20221201 14:07:05,ip-1,a,h,821,0,PROXY_CONNECT,shop,`p`@`%`,0,TCP/IP\n\
                20221201 14:07:05,ip-1,a,h,-5,0,CHANGEUSER,we,ird,,0\n";
    let collected = collect(text);
    assert_eq!(collected.problems, []);
    let events = &collected.events;
    assert_eq!(
        summary(events).iter().map(|line| line.replace(" +local_time", "")).collect::<Vec<_>>(),
        [
            "connect CONNECT - [-] success",
            "connect FAILED_CONNECT - [-] failure 1045",
            "disconnect DISCONNECT - [-] success",
            "connect CONNECT - [-] success",
            "connect CONNECT - [-] success",
            "connect CONNECT - [-] success",
            "connect FAILED_CONNECT - [-] failure 1045",
            "connect PROXY_CONNECT `p`@`%` [-] success",
            "connect CHANGEUSER - [-] success",
        ]
    );
    let tls: Vec<_> = events.iter().map(|event| shown(event.tls.as_ref())).collect();
    assert_eq!(tls, ["-", "-", "-", "TLSv1.3", "-", "SSL", "-", "-", "-"]);
    assert_eq!(events[3].client_port, Some(4711));
    assert_eq!(shown(events[3].client_address.as_ref()), "10.0.0.7");
    assert_eq!(shown(events[8].database_name.as_ref()), "we,ird");
    assert_eq!(shown(events[8].session_id.as_ref()), "-5");
    assert!(events.iter().all(|event| event.statement_id.is_none()));
}

#[test]
fn ports_are_split_off_where_that_is_certain() {
    for (host, address, port) in [
        ("10.0.0.7:4711", "10.0.0.7", Some(4711)),
        ("client.example:4711", "client.example", Some(4711)),
        ("[fe80::1]:4711", "fe80::1", Some(4711)),
        ("2001:db8::5:45172", "2001:db8::5", Some(45172)),
        ("fe80::1:4711", "fe80::1:4711", None),
        ("::1", "::1", None),
        ("localhost", "localhost", None),
        ("h:99999", "h:99999", None),
    ] {
        let event = only(format!("20261121 03:44:10,vm,a,{host},53,0,CONNECT,shop,,0\n"));
        assert_eq!(
            (shown(event.client_address.as_ref()).as_str(), event.client_port),
            (address, port),
            "{host}"
        );
    }
}

#[test]
fn table_access() {
    let text = "20261121 03:44:10,vm,a,h,5,7,READ,shop,orders,\n\
                1653053459680124,c-1,a,h,35,698024,WRITE,shop,orders,0\n\
                20261121 03:44:10,vm,a,h,5,7,CREATE,shop,we,ird,\n\
                20261121 03:44:10,vm,a,h,5,7,RENAME,shop,old|arch.new,\n\
                20261121 03:44:10,vm,a,h,5,7,ALTER,shop,t,\n\
                20261121 03:44:10,vm,a,h,5,7,DROP,shop,t',0\n";
    let collected = collect(text);
    assert_eq!(
        summary(&collected.events),
        [
            "read READ shop.orders [-] success +local_time +table_access",
            "write WRITE shop.orders [-] success +table_access",
            "ddl CREATE shop.we,ird [-] success +parse_partial +local_time +table_access",
            "ddl RENAME shop.old [-] success +local_time +table_access",
            "ddl ALTER shop.t [-] success +local_time +table_access",
            "ddl DROP shop.t' [-] success +local_time +table_access",
        ]
    );
    assert_eq!(shown(collected.events[3].tables.as_ref()), "shop.old, arch.new");
    assert_eq!(shown(collected.events[0].statement_id.as_ref()), "7");
}

#[test]
fn escapes_are_undone_on_bytes() {
    let event = only(b"20261121 03:44:10,vm,a,h,5,7,QUERY,d,'select \\'a\\\\b\\n\\r\\t\\b\\f\\x\\\\\x95\\\\\\', \x00\x1b\xff',0\n");
    assert_eq!(event.statement.unwrap().as_ref(), b"select 'a\\b\n\r\t\x08\x0c\\x\\\x95\\', \x00\x1b\xff");
}

#[test]
fn texts_that_a_limit_has_cut() {
    let truncated = |text: &str, rest: &str| {
        let event = only(format!("20261121 03:44:10,vm,a,h,5,7,QUERY,d,'{text}{rest}\n"));
        (event.flags.contains(Flags::TRUNCATED), shown(event.statement.as_ref()), event.outcome)
    };
    assert_eq!(truncated("select \\", "',0"), (true, "select ".to_owned(), Outcome::Success));
    assert_eq!(truncated("select 'x", ""), (true, "select 'x".to_owned(), Outcome::Unknown));
    assert_eq!(truncated("select \\\\", "',0"), (false, "select \\".to_owned(), Outcome::Success));
    for (length, cut) in [(1022, false), (1023, true), (1024, true), (1026, true), (1027, false)] {
        let text = format!("select {}", "1".repeat(length - 7));
        assert_eq!(truncated(&text, "',0").0, cut, "{length}");
    }
}

/// Trap O: the right reading is the right one.
#[test]
fn a_user_name_that_looks_like_a_record() {
    let event = only(
        "20261121 03:44:10,vm,x,10.9.9.9,9,99,QUERY,prod,'DROP USER y',0,::1,33,0,FAILED_CONNECT,,,1045\n",
    );
    assert_eq!(shown(event.user_name.as_ref()), "x,10.9.9.9,9,99,QUERY,prod,'DROP USER y',0");
    assert_eq!(shown(event.client_address.as_ref()), "::1");
    assert_eq!((event.class, event.outcome), (Class::Connect, Outcome::Failure));
    assert!(event.flags.contains(Flags::UNVERIFIED));

    let event = only("20261121 03:44:10,vm,a,b,1,2,QUERY,db,'x',0,127.0.0.1,53,77,QUERY,shop,'select 1',0\n");
    assert_eq!(shown(event.user_name.as_ref()), "a,b,1,2,QUERY,db,'x',0");
    assert_eq!(shown(event.statement.as_ref()), "select 1");
    assert!(event.flags.contains(Flags::UNVERIFIED));

    let event = only("20261121 03:44:10,vm,a,b,127.0.0.1,53,77,QUERY,shop,'select 1',0\n");
    assert_eq!(shown(event.user_name.as_ref()), "a,b");
    assert!(!event.flags.contains(Flags::UNVERIFIED));
}

/// Trap O: a user name with line breaks writes a perfect line between two broken ones.
#[test]
fn a_user_name_with_line_breaks() {
    let forged = "20261121 00:00:02,vm,forged,10.9.9.9,9,99,QUERY,prod,'DROP USER y',0\n";
    let good = "20261121 03:44:11,vm,a,h,5,7,QUERY,d,'select 1',0\n";
    let collected =
        collect(format!("{good}20261121 03:44:10,vm,x\n{forged},::1,33,0,FAILED_CONNECT,,,1045\n{good}"));
    assert_eq!(collected.problems.len(), 2);
    let flagged: Vec<_> =
        collected.events.iter().map(|event| event.flags.contains(Flags::UNVERIFIED)).collect();
    assert_eq!(flagged, [false, true, false]);
}

/// Text of a statement cannot become a record: it is escaped.
#[test]
fn a_statement_that_looks_like_a_record() {
    let inner = "\\n20261121 00:00:02,vm,root,h,9,0,CONNECT,prod,,0";
    let event = only(format!("20261121 03:44:10,vm,a,h,5,7,QUERY,d,'select 1 -- {inner}',0\n"));
    assert_eq!(event.class, Class::Read);
    assert!(!event.flags.contains(Flags::UNVERIFIED));
    let event = only("20261121 03:44:10,vm,a,h,5,7,QUERY,d,'select \\'x,1,2,QUERY,e,\\'',0\n");
    assert_eq!(shown(event.statement.as_ref()), "select 'x,1,2,QUERY,e,'");
}

#[test]
fn lines_that_are_no_record() {
    let collected =
        collect("\n\r\nfree text\n20261121 03:44:10,vm\n20261121 03:44:10,vm,a,h,1,2,UNKNOWN,d,x\n,,,\n");
    assert_eq!(collected.others, ["empty line", "empty line"]);
    assert_eq!(collected.problems.len(), 4);
    assert_eq!(collected.events, []);
}

#[test]
fn windows_line_ends_are_no_part_of_a_record() {
    let event = only("20261121 03:44:10,vm,a,h,5,7,QUERY,d,'select 1',0\r\n");
    assert_eq!(event.outcome, Outcome::Success);
}
