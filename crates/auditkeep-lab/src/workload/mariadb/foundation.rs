//! How the shop's databases, users and tables come to be: the superuser's and the DBA's work before opening.
//!
//! Everything goes through marked statements, so the log of a run has no unexplained DDL.

use super::super::script::{Planned, Scene, ok, session};
use super::{ADMIN, ALICE, APP, BOB};

pub(super) fn scenes() -> Vec<Scene> {
    vec![
        vec![session(ADMIN, "", instance())],
        vec![
            session(BOB, "shop", [users(), tables(), grants()].concat()),
            session(BOB, "warehouse", warehouse()),
        ],
    ]
}

fn instance() -> Vec<Planned> {
    vec![
        ok("role", 1, format!("CREATE USER 'bob'@'%' IDENTIFIED BY '{}'", BOB.1)).masked(),
        ok("role", 1, "GRANT ALL PRIVILEGES ON *.* TO 'bob'@'%' WITH GRANT OPTION"),
        ok("ddl", 1, "CREATE DATABASE shop CHARACTER SET utf8mb4"),
        ok("ddl", 1, "CREATE DATABASE warehouse"),
    ]
}

fn users() -> Vec<Planned> {
    vec![
        ok("role", 1, format!("CREATE USER 'app'@'%' IDENTIFIED BY '{}'", APP.1)).masked(),
        ok("role", 1, format!("CREATE USER 'alice'@'%' IDENTIFIED BY '{}'", ALICE.1.replace('\'', "\\'")))
            .masked(),
        ok("role", 1, "CREATE ROLE analyst"),
        ok("role", 1, "GRANT analyst TO 'alice'@'%'"),
        ok("role", 1, "SET DEFAULT ROLE analyst FOR 'alice'@'%'"),
    ]
}

fn tables() -> Vec<Planned> {
    vec![
        ok(
            "ddl",
            1,
            "CREATE TABLE customers (\n  id int PRIMARY KEY,\n  name varchar(100) NOT NULL,\n  email varchar(100) UNIQUE,\n\tcity varchar(100)\n)",
        ),
        ok(
            "ddl",
            1,
            "CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL, item varchar(50), total decimal(10,2), status varchar(10) DEFAULT 'new')",
        ),
        ok(
            "ddl",
            1,
            "CREATE TABLE payments (id int PRIMARY KEY, order_id int, card varchar(20), amount decimal(10,2), paid_at timestamp DEFAULT current_timestamp)",
        ),
        ok(
            "ddl",
            1,
            "CREATE TABLE employees (id int PRIMARY KEY, name varchar(50), salary decimal(10,2), iban varchar(34))",
        ),
        ok("ddl", 1, "CREATE TABLE `we,ird ``name``` (id int)"),
        ok("ddl", 1, "CREATE INDEX orders_by_customer ON orders (customer_id)"),
        ok(
            "ddl",
            1,
            "CREATE VIEW open_orders AS SELECT id, customer_id, total FROM orders WHERE status <> 'paid'",
        ),
        ok(
            "ddl",
            1,
            "CREATE PROCEDURE close_day(IN wanted varchar(10))\nBEGIN\n  UPDATE orders SET status = 'closed' WHERE status = wanted;\nEND",
        ),
        ok(
            "ddl",
            1,
            "CREATE FUNCTION spent_by(customer int) RETURNS decimal(10,2) READS SQL DATA RETURN (SELECT coalesce(sum(total), 0) FROM orders WHERE customer_id = customer)",
        ),
    ]
}

fn grants() -> Vec<Planned> {
    vec![
        ok("role", 1, "GRANT SELECT, INSERT, UPDATE, DELETE, EXECUTE ON shop.* TO 'app'@'%'"),
        ok("role", 1, "REVOKE DELETE ON shop.* FROM 'app'@'%'"),
        ok("role", 1, "GRANT SELECT ON shop.customers TO analyst"),
        ok("role", 1, "GRANT SELECT ON shop.orders TO analyst"),
        ok("role", 1, "GRANT SELECT ON shop.payments TO analyst"),
        ok("role", 1, "GRANT SELECT ON warehouse.* TO analyst"),
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
        ok("ddl", 1, "CREATE TABLE daily_sales (day date, city varchar(50), total decimal(10,2))"),
        ok(
            "write",
            1,
            "INSERT INTO daily_sales VALUES ('2026-11-19', 'London', 120.50), ('2026-11-20', 'Zürich, Altstadt', 310.25)",
        ),
    ]
}
