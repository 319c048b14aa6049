//! Logins in csvlog: authorised, refused, and refused after they were authorised.

use crate::collect::{shown, summary};
use crate::csvlog::{Record, collect, log};

#[test]
fn logins() {
    let fatal = |sqlstate, message| {
        Record { session: "6b01.9", severity: "FATAL", sqlstate, message, ..Record::default() }.line()
    };
    let text = [
        log("connection received: host=127.0.0.1 port=45172"),
        log("connection authenticated: identity=\"app\" method=scram-sha-256"),
        log("connection authorized: user=app database=shop application_name=x SSL enabled (y SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)"),
        fatal("28P01", "password authentication failed for user \"app\""),
        fatal("28000", "no pg_hba.conf entry for host \"127.0.0.1\", user \"app\", database \"shop\", no encryption"),
        fatal("3D000", "database \"shop\" does not exist"),
        fatal("28000", "role \"app\" does not exist"),
        fatal("57P01", "terminating connection due to administrator command"),
    ]
    .concat();
    let collected = collect(text);
    assert_eq!(collected.others, ["connection received", "connection authenticated"]);
    assert_eq!(
        summary(&collected.events),
        [
            "connect CONNECT - [-] success",
            "connect FAILED_CONNECT - [-] failure 28P01",
            "connect FAILED_CONNECT - [-] failure 28000",
            "connect FAILED_CONNECT - [-] failure 3D000",
            "connect FAILED_CONNECT - [-] failure 28000",
            "misc - - [-] failure 57P01 +error_only",
        ]
    );
    let login = &collected.events[0];
    assert_eq!(shown(login.application.as_ref()), "x SSL enabled (y");
    assert_eq!(shown(login.tls.as_ref()), "protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256");
}

/// `lc_messages` may be any language; the SQLSTATE is the same in all of them.
#[test]
fn refused_logins_in_another_language() {
    let fatal = |sqlstate, message| {
        Record { session: "6b01.9", severity: "FATAL", sqlstate, message, ..Record::default() }.line()
    };
    let refused = [
        ("28P01", "Passwort-Authentifizierung für Benutzer »app« fehlgeschlagen"),
        ("28000", "kein pg_hba.conf-Eintrag für Host »127.0.0.1«, Benutzer »app«, Datenbank »shop«"),
        ("28000", "le rôle « app » n'existe pas"),
        ("3D000", "Datenbank »shop« existiert nicht"),
        ("53300", "tut mir leid, schon zu viele Verbindungen"),
        ("57P03", "das Datenbanksystem startet"),
        ("42501", "keine Berechtigung für Datenbank »shop«"),
        ("55000", "Datenbank »shop« akzeptiert gegenwärtig keine Verbindungen"),
    ];
    for (sqlstate, message) in refused {
        let collected = collect(fatal(sqlstate, message));
        let expected = format!("connect FAILED_CONNECT - [-] failure {sqlstate}");
        assert_eq!(summary(&collected.events), [expected], "{message}");
        assert_eq!(shown(collected.events[0].error_text.as_ref()), message);
    }
    let ended = [
        ("57P01", "Verbindung wird abgebrochen aufgrund von Anweisung des Administrators"),
        ("25P03", "Verbindung wird abgebrochen wegen Zeitüberschreitung in inaktiver Transaktion"),
        ("08P01", "ungültiger Frontend-Message-Typ 81"),
    ];
    for (sqlstate, message) in ended {
        let expected = format!("misc - - [-] failure {sqlstate} +error_only");
        assert_eq!(summary(&collect(fatal(sqlstate, message)).events), [expected], "{message}");
    }
    // The code decides also where the text reads like a refusal.
    let text = "the database system is what I was told to leave";
    assert_eq!(summary(&collect(fatal("57P01", text)).events), ["misc - - [-] failure 57P01 +error_only"]);
}

/// A statement that meets such an error was sent by somebody who was let in.
#[test]
fn an_error_of_a_statement_is_no_refused_login() {
    let record = |severity, query| Record {
        severity,
        sqlstate: "28000",
        message: "Rolle »x« existiert nicht",
        query,
        ..Record::default()
    };
    for record in [record("ERROR", None), record("FATAL", Some("set role x"))] {
        let collected = collect(record.line());
        assert!(
            summary(&collected.events)[0].ends_with("failure 28000 +error_only"),
            "{}",
            summary(&collected.events)[0]
        );
        assert_ne!(shown(collected.events[0].command.as_ref()), "FAILED_CONNECT");
    }
}

/// A server looks for role and database after it has authorised the connection.
#[test]
fn a_login_that_is_refused_after_it_was_authorised() {
    let authorised = log("connection authorized: user=app database=shop application_name=psql");
    let refused = Record {
        severity: "FATAL",
        sqlstate: "3D000",
        message: "database \"shop\" does not exist",
        ..Record::default()
    };
    let collected = collect(format!("{authorised}{}{authorised}", refused.line()));
    assert_eq!(
        summary(&collected.events),
        ["connect FAILED_CONNECT - [-] failure 3D000", "connect CONNECT - [-] success"]
    );
    assert_eq!(collected.others, ["connection authorized, then refused"]);
}
