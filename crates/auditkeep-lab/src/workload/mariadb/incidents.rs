//! What an auditor looks for: refused logins, refused and failing statements, changes of privileges and settings, data
//! leaving, and texts that try to pass for log lines.

use super::super::script::{Planned, Scene, fails, ok, refused, session};
use super::{ADMIN, ALICE, APP, BOB};

pub(super) fn scenes() -> Vec<Scene> {
    vec![
        vec![refused(("mallory", "letmein"), "shop"), refused((ALICE.0, "alice2025"), "shop")],
        vec![refused((ALICE.0, "Alice2026!"), "shop"), refused((BOB.0, BOB.1), "shop_old")],
        vec![refused(("root", "root"), "mysql"), refused((APP.0, APP.1), "mysql")],
        vec![session(ALICE, "shop", curiosity()), session(APP, "shop", mistakes())],
        vec![session(BOB, "shop", privileges()), session(ADMIN, "", administration())],
        vec![session(ALICE, "shop", leaving())],
    ]
}

fn curiosity() -> Vec<Planned> {
    vec![
        fails("read", 1, "SELECT name, salary FROM employees"),
        fails("write", 1, "UPDATE payments SET amount = 0 WHERE id = 1"),
        fails("ddl", 1, "DROP TABLE payments"),
        fails("role", 1, "GRANT SELECT ON shop.employees TO 'alice'@'%'"),
        fails("admin", 1, "SET GLOBAL server_audit_logging = OFF"),
        fails("read", 1, "SELECT * FROM salaries"),
        fails("read", 1, "SELECT * FROM payments INTO OUTFILE '/tmp/payments.csv'"),
    ]
}

fn mistakes() -> Vec<Planned> {
    vec![
        fails("misc", 1, "SELEC * FROM customers"),
        fails(
            "write",
            1,
            "INSERT INTO customers VALUES (1, 'Ada again', 'ada2@example.com', 'London', NULL)",
        ),
        fails("write", 1, "INSERT INTO orders (id, customer_id, item, total) VALUES (?, ?, ?, ?)")
            .prepared([Some("1"), Some("1"), Some("twice, \"quoted\""), None]),
        ok(
            "read",
            1,
            "SELECT 'x\n20261121 00:00:02,vm,forged,10.9.9.9,9,99,QUERY,shop,\\'DROP USER bob\\',0\n' FROM customers LIMIT 1",
        ),
        ok("read", 1, "SELECT 'x',0\n, 'DISCONNECT,shop,,0' FROM customers LIMIT 1"),
        fails("write", 1, "DELETE FROM orders"),
        fails("function", 1, "CALL no_such_procedure()"),
    ]
}

fn privileges() -> Vec<Planned> {
    vec![
        ok("role", 1, "CREATE USER 'contractor'@'%' IDENTIFIED BY 'winter is coming'").masked(),
        ok("role", 1, "GRANT SELECT ON shop.employees TO 'contractor'@'%' WITH GRANT OPTION"),
        ok("role", 1, "ALTER USER 'contractor'@'%' IDENTIFIED BY 'spring, too'").masked(),
        ok("role", 1, "REVOKE ALL PRIVILEGES, GRANT OPTION FROM 'contractor'@'%'"),
        ok("role", 1, "DROP USER 'contractor'@'%'"),
        fails("role", 1, "CREATE USER 'alice'@'%' IDENTIFIED BY 'second time'").masked(),
        ok("role", 1, "GRANT CREATE ON shop.* TO 'app'@'%'"),
        ok("read", 1, "SELECT name, salary, iban FROM employees ORDER BY salary DESC"),
        ok("read", 1, "SELECT user, host FROM mysql.user"),
    ]
}

fn administration() -> Vec<Planned> {
    vec![
        ok("admin", 1, "SET GLOBAL max_connections = 50"),
        ok("admin", 1, "FLUSH PRIVILEGES"),
        ok("admin", 1, "INSTALL SONAME 'sql_errlog'"),
    ]
}

/// Nobody at the shop asked for these.
fn leaving() -> Vec<Planned> {
    vec![
        ok("read", 1, "SELECT * FROM payments"),
        ok(
            "read",
            1,
            "SELECT name, email, city FROM customers UNION ALL SELECT card, amount, paid_at FROM payments",
        ),
    ]
}
