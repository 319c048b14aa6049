//! What a statement is, told from its first significant words.
//!
//! It guarantees an answer for any bytes, in time linear in a bounded part of them. It does not parse SQL: it names no
//! tables, does not look into functions or dynamic SQL, and what it does not know is [`Class::Misc`] without a command.

mod words;

use crate::event::Class;
use words::{Token, Words};

/// Which family's comments, quotes and commands count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    PostgreSql,
    /// MySQL, MariaDB and Aurora MySQL.
    MySql,
}

/// What the first words tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    pub class: Class,
    /// The command in capitals, named as PostgreSQL's command tags are; `None` when the words are not known.
    pub command: Option<&'static str>,
}

/// How many words are looked at to find what a `CREATE`, `ALTER` or `DROP` is about.
const OBJECT_WORDS: usize = 24;

/// How many bytes are looked at to find the verb after `WITH`, or the direction of `COPY`.
const VERB_BYTES: usize = 64 * 1024;

/// Says what `statement` is; of several statements in one text, the first.
pub fn classify(statement: &[u8], dialect: Dialect) -> Statement {
    let bounded = &statement[..statement.len().min(VERB_BYTES)];
    let mut words = Words::new(bounded, dialect);
    let Some(first) = words.first() else {
        return misc(None);
    };
    let of = |list: &[(&'static str, Class)]| {
        list.iter().find(|(name, _)| first.eq_ignore_ascii_case(name.as_bytes())).copied()
    };
    if let Some((name, class)) = of(PLAIN) {
        return Statement { class, command: Some(name) };
    }
    if let Some((name, class)) = of(if dialect == Dialect::MySql { PLAIN_MYSQL } else { PLAIN_POSTGRESQL }) {
        return Statement { class, command: Some(name) };
    }
    compound(first, words, dialect)
}

fn misc(command: Option<&'static str>) -> Statement {
    Statement { class: Class::Misc, command }
}

/// Commands whose meaning needs more than their first word.
fn compound(first: &[u8], words: Words<'_>, dialect: Dialect) -> Statement {
    let is = |name: &str| first.eq_ignore_ascii_case(name.as_bytes());
    if is("CREATE") {
        object(words, dialect, Verb::Create)
    } else if is("ALTER") {
        object(words, dialect, Verb::Alter)
    } else if is("DROP") {
        object(words, dialect, Verb::Drop)
    } else if is("WITH") {
        with(words)
    } else if is("COPY") {
        copy(words)
    } else if is("SET") {
        set(words, dialect)
    } else if is("TRUNCATE") {
        Statement { class: Class::Write, command: Some("TRUNCATE TABLE") }
    } else if is("RENAME") {
        rename(words)
    } else if is("START") || is("STOP") || is("CHANGE") || is("RESET") {
        server_or_transaction(first, words, dialect)
    } else if is("LOAD") {
        load(words, dialect)
    } else {
        misc(None)
    }
}

#[derive(Clone, Copy)]
enum Verb {
    Create,
    Alter,
    Drop,
}

/// `(words of the object, class, names with CREATE, ALTER, DROP)`.
type Object = (&'static str, Class, [&'static str; 3]);

fn object(mut words: Words<'_>, dialect: Dialect, verb: Verb) -> Statement {
    let column = verb as usize;
    for _ in 0..OBJECT_WORDS {
        match words.token() {
            Some(Token::Word(word)) => {
                let role = word.eq_ignore_ascii_case(b"USER") || word.eq_ignore_ascii_case(b"GROUP");
                if role && dialect == Dialect::PostgreSql {
                    let mapping = matches!(words.token(), Some(Token::Word(next)) if next.eq_ignore_ascii_case(b"MAPPING"));
                    let index = if mapping { USER_MAPPING } else { POSTGRESQL_ROLE };
                    return Statement { class: index.1, command: Some(index.2[column]) };
                }
                let known = OBJECTS.iter().find(|(name, _, _)| word.eq_ignore_ascii_case(name.as_bytes()));
                if let Some((_, class, names)) = known {
                    return Statement { class: *class, command: Some(names[column]) };
                }
            }
            Some(Token::Other(b';')) | None => break,
            Some(_) => {}
        }
    }
    Statement { class: Class::Ddl, command: None }
}

/// The main verb after the common table expressions. One of them that changes rows makes the whole a write.
fn with(mut words: Words<'_>) -> Statement {
    let (mut depth, mut writes, mut opened) = (0_u32, false, false);
    while let Some(token) = words.token() {
        let begins = std::mem::take(&mut opened);
        match token {
            Token::Other(b'(') => {
                depth += 1;
                opened = true;
            }
            Token::Other(b')') => depth = depth.saturating_sub(1),
            Token::Word(word) if depth == 0 || begins => {
                let verb = VERBS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()));
                let Some((name, class)) = verb else { continue };
                writes |= *class == Class::Write;
                if depth == 0 {
                    let class = if writes { Class::Write } else { *class };
                    return Statement { class, command: Some(name) };
                }
            }
            _ => {}
        }
    }
    misc(None)
}

fn copy(mut words: Words<'_>) -> Statement {
    let mut depth = 0_u32;
    while let Some(token) = words.token() {
        match token {
            Token::Other(b'(') => depth += 1,
            Token::Other(b')') => depth = depth.saturating_sub(1),
            Token::Word(word) if depth == 0 && word.eq_ignore_ascii_case(b"FROM") => {
                return Statement { class: Class::Write, command: Some("COPY") };
            }
            Token::Word(word) if depth == 0 && word.eq_ignore_ascii_case(b"TO") => {
                return Statement { class: Class::Read, command: Some("COPY") };
            }
            _ => {}
        }
    }
    misc(Some("COPY"))
}

/// `SET` as such is [`Class::Misc`]; setting a password or the server is not.
fn set(mut words: Words<'_>, dialect: Dialect) -> Statement {
    if dialect == Dialect::PostgreSql {
        return misc(Some("SET"));
    }
    let mut first = true;
    for _ in 0..OBJECT_WORDS {
        match words.token() {
            Some(Token::Word(word)) => {
                let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
                if first && is("PASSWORD") {
                    return Statement { class: Class::Role, command: Some("SET PASSWORD") };
                }
                if first && is("DEFAULT") {
                    return Statement { class: Class::Role, command: Some("SET DEFAULT ROLE") };
                }
                if is("GLOBAL") || is("PERSIST") || is("PERSIST_ONLY") {
                    return Statement { class: Class::Admin, command: Some("SET GLOBAL") };
                }
                first = false;
            }
            Some(Token::Other(b';')) | None => break,
            Some(_) => {}
        }
    }
    misc(Some("SET"))
}

fn rename(mut words: Words<'_>) -> Statement {
    match words.token() {
        Some(Token::Word(word)) if word.eq_ignore_ascii_case(b"USER") => {
            Statement { class: Class::Role, command: Some("RENAME USER") }
        }
        _ => Statement { class: Class::Ddl, command: Some("RENAME TABLE") },
    }
}

fn server_or_transaction(first: &[u8], mut words: Words<'_>, dialect: Dialect) -> Statement {
    let second = words.token();
    let second_is =
        |name: &str| matches!(second, Some(Token::Word(word)) if word.eq_ignore_ascii_case(name.as_bytes()));
    if second_is("TRANSACTION") {
        return misc(Some("START TRANSACTION"));
    }
    if dialect == Dialect::PostgreSql {
        return misc(first.eq_ignore_ascii_case(b"RESET").then_some("RESET"));
    }
    let command = match first.first().map(u8::to_ascii_uppercase) {
        Some(b'C') => "CHANGE REPLICATION",
        Some(b'R') => "RESET",
        _ if first.eq_ignore_ascii_case(b"START") => "START REPLICA",
        _ => "STOP REPLICA",
    };
    Statement { class: Class::Admin, command: Some(command) }
}

fn load(mut words: Words<'_>, dialect: Dialect) -> Statement {
    if dialect == Dialect::PostgreSql {
        return misc(Some("LOAD"));
    }
    match words.token() {
        Some(Token::Word(word)) if word.eq_ignore_ascii_case(b"INDEX") => misc(Some("LOAD INDEX")),
        _ => Statement { class: Class::Write, command: Some("LOAD DATA") },
    }
}

/// Verbs that `WITH` may lead to.
const VERBS: &[(&str, Class)] = &[
    ("SELECT", Class::Read),
    ("INSERT", Class::Write),
    ("UPDATE", Class::Write),
    ("DELETE", Class::Write),
    ("MERGE", Class::Write),
    ("REPLACE", Class::Write),
    ("TABLE", Class::Read),
    ("VALUES", Class::Read),
];

/// Commands that one word settles, whatever the family.
const PLAIN: &[(&str, Class)] = &[
    ("SELECT", Class::Read),
    ("INSERT", Class::Write),
    ("UPDATE", Class::Write),
    ("DELETE", Class::Write),
    ("BEGIN", Class::Misc),
    ("COMMIT", Class::Misc),
    ("ROLLBACK", Class::Misc),
    ("SHOW", Class::Misc),
    ("CALL", Class::Function),
    ("DO", Class::Function),
    ("VALUES", Class::Read),
    ("TABLE", Class::Read),
    ("MERGE", Class::Write),
    ("GRANT", Class::Role),
    ("REVOKE", Class::Role),
    ("PREPARE", Class::Misc),
    ("EXECUTE", Class::Misc),
    ("DEALLOCATE", Class::Misc),
    ("EXPLAIN", Class::Misc),
    ("ANALYZE", Class::Misc),
    ("SAVEPOINT", Class::Misc),
    ("RELEASE", Class::Misc),
    ("LOCK", Class::Misc),
    ("END", Class::Misc),
];

const PLAIN_POSTGRESQL: &[(&str, Class)] = &[
    ("DISCARD", Class::Misc),
    ("DECLARE", Class::Read),
    ("FETCH", Class::Misc),
    ("MOVE", Class::Misc),
    ("CLOSE", Class::Misc),
    ("ABORT", Class::Misc),
    ("LISTEN", Class::Misc),
    ("UNLISTEN", Class::Misc),
    ("NOTIFY", Class::Misc),
    ("VACUUM", Class::Misc),
    ("CLUSTER", Class::Misc),
    ("REINDEX", Class::Misc),
    ("CHECKPOINT", Class::Misc),
    ("COMMENT", Class::Ddl),
    ("SECURITY", Class::Ddl),
    ("REFRESH", Class::Ddl),
    ("IMPORT", Class::Ddl),
    ("REASSIGN", Class::Role),
];

const PLAIN_MYSQL: &[(&str, Class)] = &[
    ("USE", Class::Misc),
    ("REPLACE", Class::Write),
    ("DESCRIBE", Class::Misc),
    ("DESC", Class::Misc),
    ("UNLOCK", Class::Misc),
    ("XA", Class::Misc),
    ("OPTIMIZE", Class::Misc),
    ("REPAIR", Class::Misc),
    ("CHECK", Class::Misc),
    ("CHECKSUM", Class::Misc),
    ("HELP", Class::Misc),
    ("HANDLER", Class::Read),
    ("IMPORT", Class::Write),
    ("INSTALL", Class::Admin),
    ("UNINSTALL", Class::Admin),
    ("FLUSH", Class::Admin),
    ("PURGE", Class::Admin),
    ("KILL", Class::Admin),
    ("SHUTDOWN", Class::Admin),
    ("RESTART", Class::Admin),
    ("CLONE", Class::Admin),
    ("BINLOG", Class::Admin),
];

const POSTGRESQL_ROLE: Object = ("ROLE", Class::Role, ["CREATE ROLE", "ALTER ROLE", "DROP ROLE"]);
const USER_MAPPING: Object =
    ("MAPPING", Class::Ddl, ["CREATE USER MAPPING", "ALTER USER MAPPING", "DROP USER MAPPING"]);

/// What `CREATE`, `ALTER` and `DROP` are about; the first of these words in the text decides.
const OBJECTS: &[Object] = &[
    ("TABLE", Class::Ddl, ["CREATE TABLE", "ALTER TABLE", "DROP TABLE"]),
    ("INDEX", Class::Ddl, ["CREATE INDEX", "ALTER INDEX", "DROP INDEX"]),
    ("VIEW", Class::Ddl, ["CREATE VIEW", "ALTER VIEW", "DROP VIEW"]),
    (
        "MATERIALIZED",
        Class::Ddl,
        ["CREATE MATERIALIZED VIEW", "ALTER MATERIALIZED VIEW", "DROP MATERIALIZED VIEW"],
    ),
    ("SEQUENCE", Class::Ddl, ["CREATE SEQUENCE", "ALTER SEQUENCE", "DROP SEQUENCE"]),
    ("SCHEMA", Class::Ddl, ["CREATE SCHEMA", "ALTER SCHEMA", "DROP SCHEMA"]),
    ("DATABASE", Class::Ddl, ["CREATE DATABASE", "ALTER DATABASE", "DROP DATABASE"]),
    ("FUNCTION", Class::Ddl, ["CREATE FUNCTION", "ALTER FUNCTION", "DROP FUNCTION"]),
    ("PROCEDURE", Class::Ddl, ["CREATE PROCEDURE", "ALTER PROCEDURE", "DROP PROCEDURE"]),
    ("ROUTINE", Class::Ddl, ["CREATE ROUTINE", "ALTER ROUTINE", "DROP ROUTINE"]),
    ("AGGREGATE", Class::Ddl, ["CREATE AGGREGATE", "ALTER AGGREGATE", "DROP AGGREGATE"]),
    ("TRIGGER", Class::Ddl, ["CREATE TRIGGER", "ALTER TRIGGER", "DROP TRIGGER"]),
    ("EVENT", Class::Ddl, ["CREATE EVENT", "ALTER EVENT", "DROP EVENT"]),
    ("TYPE", Class::Ddl, ["CREATE TYPE", "ALTER TYPE", "DROP TYPE"]),
    ("DOMAIN", Class::Ddl, ["CREATE DOMAIN", "ALTER DOMAIN", "DROP DOMAIN"]),
    ("EXTENSION", Class::Ddl, ["CREATE EXTENSION", "ALTER EXTENSION", "DROP EXTENSION"]),
    ("ROLE", Class::Role, ["CREATE ROLE", "ALTER ROLE", "DROP ROLE"]),
    ("USER", Class::Role, ["CREATE USER", "ALTER USER", "DROP USER"]),
    ("OWNED", Class::Role, ["CREATE OWNED", "ALTER OWNED", "DROP OWNED"]),
    ("DEFAULT", Class::Role, ["CREATE DEFAULT", "ALTER DEFAULT PRIVILEGES", "DROP DEFAULT"]),
    ("POLICY", Class::Ddl, ["CREATE POLICY", "ALTER POLICY", "DROP POLICY"]),
    ("RULE", Class::Ddl, ["CREATE RULE", "ALTER RULE", "DROP RULE"]),
    ("TABLESPACE", Class::Ddl, ["CREATE TABLESPACE", "ALTER TABLESPACE", "DROP TABLESPACE"]),
    ("SERVER", Class::Ddl, ["CREATE SERVER", "ALTER SERVER", "DROP SERVER"]),
    ("FOREIGN", Class::Ddl, ["CREATE FOREIGN", "ALTER FOREIGN", "DROP FOREIGN"]),
    ("PUBLICATION", Class::Ddl, ["CREATE PUBLICATION", "ALTER PUBLICATION", "DROP PUBLICATION"]),
    ("SUBSCRIPTION", Class::Ddl, ["CREATE SUBSCRIPTION", "ALTER SUBSCRIPTION", "DROP SUBSCRIPTION"]),
    ("LANGUAGE", Class::Ddl, ["CREATE LANGUAGE", "ALTER LANGUAGE", "DROP LANGUAGE"]),
    ("CAST", Class::Ddl, ["CREATE CAST", "ALTER CAST", "DROP CAST"]),
    ("OPERATOR", Class::Ddl, ["CREATE OPERATOR", "ALTER OPERATOR", "DROP OPERATOR"]),
    ("COLLATION", Class::Ddl, ["CREATE COLLATION", "ALTER COLLATION", "DROP COLLATION"]),
    ("CONVERSION", Class::Ddl, ["CREATE CONVERSION", "ALTER CONVERSION", "DROP CONVERSION"]),
    ("STATISTICS", Class::Ddl, ["CREATE STATISTICS", "ALTER STATISTICS", "DROP STATISTICS"]),
    ("TEXT", Class::Ddl, ["CREATE TEXT SEARCH", "ALTER TEXT SEARCH", "DROP TEXT SEARCH"]),
    ("PACKAGE", Class::Ddl, ["CREATE PACKAGE", "ALTER PACKAGE", "DROP PACKAGE"]),
    ("PREPARE", Class::Misc, ["CREATE PREPARE", "ALTER PREPARE", "DEALLOCATE"]),
    ("SYSTEM", Class::Admin, ["CREATE SYSTEM", "ALTER SYSTEM", "DROP SYSTEM"]),
    ("INSTANCE", Class::Admin, ["CREATE INSTANCE", "ALTER INSTANCE", "DROP INSTANCE"]),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(dialect: Dialect, cases: &[(&str, Class, Option<&str>)]) {
        for (text, class, command) in cases {
            let found = classify(text.as_bytes(), dialect);
            assert_eq!((found.class, found.command), (*class, *command), "{text}");
        }
    }

    #[test]
    fn what_both_families_know() {
        for dialect in [Dialect::PostgreSql, Dialect::MySql] {
            check(
                dialect,
                &[
                    ("select 1", Class::Read, Some("SELECT")),
                    ("  /* a */ -- b\n ((SELECT 1) union select 2)", Class::Read, Some("SELECT")),
                    (";;update t set a=1", Class::Write, Some("UPDATE")),
                    (
                        "with a as (select 1), b(c) as (select ')insert') delete from t",
                        Class::Write,
                        Some("DELETE"),
                    ),
                    ("create or replace view v as select 1", Class::Ddl, Some("CREATE VIEW")),
                    ("CREATE UNIQUE INDEX i ON t(a)", Class::Ddl, Some("CREATE INDEX")),
                    ("drop table if exists t", Class::Ddl, Some("DROP TABLE")),
                    ("grant all on t to u", Class::Role, Some("GRANT")),
                    ("start transaction", Class::Misc, Some("START TRANSACTION")),
                    ("syntax_error_query", Class::Misc, None),
                    ("selectx 1", Class::Misc, None),
                    ("'select'", Class::Misc, None),
                    ("", Class::Misc, None),
                    ("/* never closed select 1", Class::Misc, None),
                ],
            );
        }
    }

    #[test]
    fn what_postgresql_knows() {
        check(
            Dialect::PostgreSql,
            &[
                ("/* a /* nested */ select */ insert into t values (1)", Class::Write, Some("INSERT")),
                ("with d as (delete from t returning *) select * from d", Class::Write, Some("SELECT")),
                ("copy (select a from t) to stdout", Class::Read, Some("COPY")),
                ("copy t (\"to\", b) from '/x'", Class::Write, Some("COPY")),
                ("create user u password 'x'", Class::Role, Some("CREATE ROLE")),
                ("create user mapping for u server s", Class::Ddl, Some("CREATE USER MAPPING")),
                ("drop owned by u", Class::Role, Some("DROP OWNED")),
                ("alter system set log_statement = 'none'", Class::Admin, Some("ALTER SYSTEM")),
                ("create materialized view v as select 1", Class::Ddl, Some("CREATE MATERIALIZED VIEW")),
                ("do $$ begin delete from t; end $$", Class::Function, Some("DO")),
                ("with a as (select $x$)$x$) update t set b=1", Class::Write, Some("UPDATE")),
                ("set global x = 1", Class::Misc, Some("SET")),
            ],
        );
    }

    #[test]
    fn what_mysql_knows() {
        check(
            Dialect::MySql,
            &[
                ("# note\nselect 1", Class::Read, Some("SELECT")),
                (
                    "/*!50003 create*/ /*!50017 definer=`r`@`h`*/ /*!50003 trigger t before insert on u */",
                    Class::Ddl,
                    Some("CREATE TRIGGER"),
                ),
                (
                    "CREATE DEFINER=`root`@`%` SQL SECURITY INVOKER VIEW v AS SELECT 1",
                    Class::Ddl,
                    Some("CREATE VIEW"),
                ),
                ("set global server_audit_logging=off", Class::Admin, Some("SET GLOBAL")),
                ("set @@global.x = 1", Class::Admin, Some("SET GLOBAL")),
                ("set @a = 1, persist x = 2", Class::Admin, Some("SET GLOBAL")),
                ("set names utf8mb4", Class::Misc, Some("SET")),
                ("SET PASSWORD FOR `u`@`%`=<secret>", Class::Role, Some("SET PASSWORD")),
                ("alter user u identified by *****", Class::Role, Some("ALTER USER")),
                ("rename user a to b", Class::Role, Some("RENAME USER")),
                ("load data infile 'x' into table t", Class::Write, Some("LOAD DATA")),
                ("install plugin x soname 'y'", Class::Admin, Some("INSTALL")),
                ("stop replica", Class::Admin, Some("STOP REPLICA")),
                ("replace into t values (1)", Class::Write, Some("REPLACE")),
            ],
        );
    }

    proptest! {
        #[test]
        fn any_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..300), mysql in any::<bool>()) {
            classify(&bytes, if mysql { Dialect::MySql } else { Dialect::PostgreSql });
        }

        #[test]
        fn any_mix_of_words_gets_an_answer(text in "(with|as|\\(|\\)|select|'|\"|\\$\\$|/\\*|\\*/|--|\n|create|user|;| ){0,30}") {
            classify(text.as_bytes(), Dialect::PostgreSql);
            classify(text.as_bytes(), Dialect::MySql);
        }
    }
}
