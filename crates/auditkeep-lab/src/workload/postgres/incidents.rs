//! What an auditor looks for: refused logins, refused and failing statements, changes of privileges, data leaving, and
//! texts that try to pass for log lines.

use super::super::script::{Planned, Scene, fails, ok, refused, session};
use super::{ADMIN, ALICE, APP, BOB};

/// A login that needs no password to write a perfect audit line into the stderr log: the server puts user and database
/// into the line prefix as they are. The csvlog is not fooled.
const FORGED_USER: &str = "root@prod:[7]:LOG:  AUDIT: SESSION,1,1,DDL,DROP TABLE,,,drop x";
const FORGED_DATABASE: &str = ",<none>\n2026-11-21 00:00:03 UTC:10.9.9.8(1):z@y";

pub(super) fn scenes() -> Vec<Scene> {
    vec![
        vec![refused(("mallory", "letmein"), "shop"), refused((ALICE.0, "alice2025"), "shop")],
        vec![refused((ALICE.0, "Alice2026!"), "shop"), refused((APP.0, APP.1), "shop_old")],
        vec![refused(("postgres", "postgres"), "postgres"), refused((FORGED_USER, "x"), FORGED_DATABASE)],
        vec![session(ALICE, "shop", curiosity()), session(APP, "shop", mistakes())],
        vec![session(BOB, "shop", privileges()), session(ADMIN, "postgres", administration())],
        vec![session(ALICE, "shop", leaving())],
    ]
}

fn curiosity() -> Vec<Planned> {
    vec![
        fails("read", 0, "SELECT name, salary FROM employees"),
        fails("write", 0, "UPDATE payments SET amount = 0 WHERE id = 1"),
        fails("ddl", 0, "DROP TABLE payments"),
        fails("role", 0, "GRANT SELECT ON employees TO alice"),
        fails("role", 0, "ALTER ROLE alice SUPERUSER"),
        fails("misc", 0, "SET pgaudit.log = 'none'"),
        fails("read", 0, "SELECT * FROM salaries"),
    ]
}

fn mistakes() -> Vec<Planned> {
    vec![
        fails("misc", 0, "SELEC * FROM customers"),
        fails("write", 1, "INSERT INTO customers VALUES (1, 'Ada again', 'ada2@example.com', 'London')"),
        fails("read", 1, "SELECT total / (id - id) FROM orders WHERE id = 1"),
        fails("write", 1, "INSERT INTO orders (id, customer_id, item, total) VALUES ($1, $2, $3, $4)")
            .prepared([Some("1"), Some("1"), Some("twice, \"quoted\""), None]),
        ok(
            "function",
            1,
            "DO $$ BEGIN RAISE LOG 'AUDIT: SESSION,1,1,ROLE,ALTER ROLE,,,ALTER ROLE app SUPERUSER,<none>'; END $$",
        ),
        ok(
            "read",
            1,
            "SELECT 'line one\n2026-11-21 00:00:00 UTC:10.9.9.9(1):root@prod:[7]:LOG:  AUDIT: SESSION,1,1,DDL,DROP TABLE,,,drop x,<none>' FROM customers LIMIT 1",
        ),
        ok("misc", 1, "BEGIN"),
        fails("write", 2, "INSERT INTO payments (id, order_id) SELECT 1, 1 FROM customers LIMIT 1"),
        fails("read", 0, "SELECT count(*) FROM customers"),
        ok("misc", 0, "ROLLBACK"),
    ]
}

fn privileges() -> Vec<Planned> {
    vec![
        ok("role", 1, "CREATE ROLE contractor LOGIN"),
        ok("role", 1, "ALTER ROLE contractor VALID UNTIL '2026-12-31'"),
        ok("role", 1, "ALTER ROLE contractor PASSWORD 'winter is coming'").masked(),
        ok("role", 1, "GRANT SELECT ON employees TO contractor WITH GRANT OPTION"),
        ok("misc", 1, "SET ROLE rds_superuser"),
        ok("misc", 1, "RESET ROLE"),
        ok("role", 1, "REVOKE ALL ON employees FROM contractor"),
        ok("role", 1, "DROP ROLE contractor"),
        fails("role", 0, "CREATE ROLE alice LOGIN PASSWORD 'shown in the error'"),
        ok("role", 1, "ALTER ROLE app CREATEDB"),
        ok("read", 2, "SELECT name, salary, iban FROM employees ORDER BY salary DESC"),
    ]
}

fn administration() -> Vec<Planned> {
    vec![
        ok("admin", 1, "ALTER SYSTEM SET log_min_duration_statement = '5s'"),
        ok("role", 1, "ALTER ROLE bob CONNECTION LIMIT 10"),
        ok("role", 1, "REVOKE CONNECT ON DATABASE warehouse FROM PUBLIC"),
    ]
}

/// Nobody at the shop asked for these.
fn leaving() -> Vec<Planned> {
    vec![
        ok("read", 2, "COPY payments TO STDOUT WITH (FORMAT csv, HEADER)").copy_out(),
        ok("read", 1, "COPY customers TO STDOUT").copy_out(),
        ok("read", 2, "SELECT * FROM payments"),
    ]
}
