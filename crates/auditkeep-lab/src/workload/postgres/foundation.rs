//! How the shop's databases, roles and tables come to be: the superuser's and the DBA's work before opening.
//!
//! Everything goes through marked statements, so the log of a run has no unexplained DDL.

use super::super::script::{Planned, Scene, ok, session};
use super::{ADMIN, ALICE, APP, BOB};

pub(super) fn scenes() -> Vec<Scene> {
    vec![
        vec![session(ADMIN, "postgres", instance())],
        vec![
            session(BOB, "shop", [roles(), tables(), grants()].concat()),
            session(BOB, "warehouse", warehouse()),
        ],
    ]
}

fn instance() -> Vec<Planned> {
    vec![
        ok("role", 1, "CREATE ROLE rds_superuser CREATEDB CREATEROLE"),
        ok("role", 1, format!("CREATE ROLE bob LOGIN CREATEDB CREATEROLE PASSWORD '{}'", BOB.1)).masked(),
        ok("role", 1, "GRANT rds_superuser TO bob"),
        ok("ddl", 1, "CREATE DATABASE shop OWNER bob"),
        ok("ddl", 1, "CREATE DATABASE warehouse OWNER bob"),
    ]
}

fn roles() -> Vec<Planned> {
    vec![
        ok("role", 1, format!("CREATE ROLE app LOGIN CONNECTION LIMIT 20 PASSWORD '{}'", APP.1)).masked(),
        ok("role", 1, format!("CREATE USER alice PASSWORD '{}'", ALICE.1.replace('\'', "''"))).masked(),
        ok("role", 1, "CREATE ROLE analyst"),
        ok("role", 1, "GRANT analyst TO alice"),
    ]
}

/// A table is recorded once, and once more for each index that its constraints make.
fn tables() -> Vec<Planned> {
    vec![
        ok(
            "ddl",
            3,
            "CREATE TABLE customers (\n  id integer PRIMARY KEY,\n  name text NOT NULL,\n  email text UNIQUE,\n  city text\n)",
        ),
        ok(
            "ddl",
            2,
            "CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer NOT NULL, item text, total numeric(10,2), status text DEFAULT 'new')",
        ),
        ok(
            "ddl",
            2,
            "CREATE TABLE payments (id integer PRIMARY KEY, order_id integer, card text, amount numeric(10,2), paid_at timestamptz DEFAULT now())",
        ),
        ok(
            "ddl",
            2,
            "CREATE TABLE employees (id integer PRIMARY KEY, name text, salary numeric(10,2), iban text)",
        ),
        ok("ddl", 1, "CREATE TABLE \"we,ird \"\"name\"\"\" (id integer)"),
        ok("ddl", 1, "CREATE INDEX orders_by_customer ON orders (customer_id)"),
        ok(
            "ddl",
            1,
            "CREATE VIEW open_orders AS SELECT id, customer_id, total FROM orders WHERE status <> 'paid'",
        ),
        ok(
            "ddl",
            1,
            "CREATE FUNCTION spent_by(customer integer) RETURNS numeric LANGUAGE sql STABLE\n\
             AS 'SELECT coalesce(sum(total), 0) FROM orders WHERE customer_id = customer'",
        ),
        ok("ddl", 1, "COMMENT ON TABLE payments IS 'card payments; ask the DBA before you read it'"),
    ]
}

fn grants() -> Vec<Planned> {
    vec![
        ok("role", 1, "GRANT SELECT, INSERT, UPDATE, DELETE ON customers, orders, payments TO app"),
        ok("role", 1, "GRANT SELECT ON customers, orders, payments, open_orders TO analyst"),
        // Object auditing: every access that this role could do is recorded once more, as OBJECT.
        ok("role", 1, "GRANT SELECT ON payments, employees TO rds_pgaudit"),
        ok(
            "write",
            1,
            "INSERT INTO employees VALUES (1, 'Grace', 9100.00, 'DE00 1234'), (2, 'Jürgen', 5200.50, 'DE00 5678')",
        ),
        ok(
            "write",
            1,
            "INSERT INTO customers VALUES (1, 'Ada Lovelace', 'ada@example.com', 'London'), (2, 'O''Brien, \"Pat\"', 'pat@example.com', 'Cork'), \
             (3, 'Zoë 雪 🛒', 'zoe@example.com', 'Zürich')",
        ),
    ]
}

fn warehouse() -> Vec<Planned> {
    vec![
        ok("ddl", 1, "CREATE SCHEMA reports"),
        ok("ddl", 1, "CREATE TABLE reports.daily_sales (day date, city text, total numeric)"),
        ok("role", 1, "GRANT USAGE ON SCHEMA reports TO alice"),
        ok("role", 1, "GRANT SELECT ON reports.daily_sales TO alice"),
        ok("write", 1, "COPY reports.daily_sales FROM STDIN WITH (FORMAT csv)").copy_in(
            "2026-11-19,London,120.50\n2026-11-20,Cork,80.00\n2026-11-20,\"Zürich, Altstadt\",310.25\n",
        ),
    ]
}
