//! The shop's ordinary day: orders through the application, reports by the analyst, maintenance by the DBA.

use super::super::script::{Planned, Scene, ok, session};
use super::{ALICE, APP, BOB};

pub(super) fn scenes(orders: u32) -> Vec<Scene> {
    let orders: Vec<Planned> = (1..=orders).flat_map(order).collect();
    vec![
        vec![
            session(APP, "shop", orders),
            session(ALICE, "shop", reports()),
            session(ALICE, "warehouse", warehouse_reports()),
        ],
        vec![session(APP, "shop", application()), session(BOB, "shop", maintenance())],
    ]
}

fn order(number: u32) -> Vec<Planned> {
    const ITEMS: [&str; 4] = ["tea, green", "5\" nails", "Käse", "it's a lamp"];
    let (id, customer) = (number.to_string(), (number % 3 + 1).to_string());
    let item = ITEMS[number as usize % ITEMS.len()];
    let (total, card) =
        (format!("{}.{:02}", number * 7 % 90 + 5, number % 100), format!("**** {:04}", number * 37 % 10_000));
    vec![
        ok("misc", 1, "BEGIN"),
        ok("read", 1, "SELECT name, city FROM customers WHERE id = $1").prepared([Some(&customer)]),
        ok("write", 1, "INSERT INTO orders (id, customer_id, item, total) VALUES ($1, $2, $3, $4)")
            .prepared([Some(&id), Some(&customer), Some(item), Some(&total)]),
        ok("write", 1, "INSERT INTO payments (id, order_id, card, amount) VALUES ($1, $2, $3, $4)")
            .prepared([Some(&id), Some(&id), Some(&card), Some(&total)]),
        ok("write", 1, format!("UPDATE orders SET status = 'paid' WHERE id = {id}")),
        ok("misc", 1, "COMMIT"),
    ]
}

/// Reads of `payments` are recorded twice: once for the session, once for the object audit.
fn reports() -> Vec<Planned> {
    let ids: Vec<String> = (1..=600).map(|id| id.to_string()).collect();
    vec![
        ok("misc", 1, "SET statement_timeout = '30s'"),
        ok("read", 1, "SELECT city, count(*) FROM customers GROUP BY city ORDER BY 2 DESC"),
        ok("read", 2, "SELECT date_trunc('day', paid_at), sum(amount) FROM payments GROUP BY 1"),
        ok(
            "read",
            4,
            "SELECT c.name,\n       sum(p.amount) AS spent\n  FROM customers c\n  JOIN orders o ON o.customer_id = c.id\n  JOIN payments p ON p.order_id = o.id\n GROUP BY c.name",
        ),
        // The table, the view, and the view's second entry that PostgreSQL before 16 keeps for rules.
        ok("read", 3, "SELECT * FROM open_orders"),
        ok(
            "read",
            1,
            "SELECT \"name\" FROM customers WHERE name = 'O''Brien, \"Pat\"' OR city = 'Zürich' -- trailing comment",
        ),
        ok("read", 1, format!("SELECT count(*) FROM orders WHERE id IN ({}) {{m}}", ids.join(", "))),
        ok("read", 2, "SELECT card, amount FROM payments WHERE amount > $1 ORDER BY amount DESC LIMIT 5")
            .prepared([Some("50.00")]),
        // Once for the query, once for the COPY.
        ok("read", 2, "COPY (SELECT id, total FROM orders WHERE total > 20) TO STDOUT WITH (FORMAT csv)")
            .copy_out(),
        ok(
            "read",
            1,
            "SELECT name, 'AUDIT: SESSION,1,1,ROLE,DROP ROLE,,,drop role bob,<none>' AS note FROM customers",
        ),
        ok("misc", 1, "SHOW statement_timeout"),
    ]
}

fn warehouse_reports() -> Vec<Planned> {
    vec![
        ok(
            "read",
            1,
            "SELECT city, sum(total) FROM reports.daily_sales WHERE day >= '2026-11-19' GROUP BY city",
        ),
        ok("read", 1, "SELECT * FROM reports.daily_sales WHERE city = $1")
            .prepared([Some("Zürich, Altstadt")]),
        ok("read", 1, "SELECT * FROM reports.daily_sales WHERE city = $1 OR $2::text IS NULL")
            .prepared([Some("Cork"), None]),
    ]
}

fn application() -> Vec<Planned> {
    vec![
        ok("misc", 1, "BEGIN"),
        ok("write", 1, "DELETE FROM orders WHERE status = 'new'"),
        ok("misc", 1, "ROLLBACK"),
        ok("read", 2, "SELECT spent_by(1)"),
        // Its second record is that of the EXECUTE, which is recorded under the text that was prepared.
        ok("read", 2, "PREPARE by_city (text) AS SELECT id FROM customers WHERE city = $1"),
        ok("misc", 1, "EXECUTE by_city('Cork')"),
        ok("misc", 1, "DEALLOCATE by_city"),
        // One message with two statements: both are recorded with the whole text.
        ok("write", 2, "UPDATE customers SET city = 'Cork' WHERE id = 2; DELETE FROM orders WHERE id = -1;"),
        ok(
            "write",
            1,
            "INSERT INTO customers VALUES (4, E'tab\\tand\\nnewline', 'tab@example.com', 'São Paulo')",
        ),
        ok("write", 1, "COPY customers (id, name, email, city) FROM STDIN")
            .copy_in("5\tLin\tlin@example.com\tOslo\n6\tNia\tnia@example.com\tGenève\n"),
        ok(
            "write",
            1,
            "INSERT INTO customers VALUES (7, '\u{1b}[2J\u{1b}[31mred\u{1b}[0m\u{7}', 'esc@example.com', 'Pisa')",
        ),
        ok("read", 1, "SELECT * FROM customers WHERE email = '' OR '1' = '1' --'"),
    ]
}

fn maintenance() -> Vec<Planned> {
    vec![
        ok("misc", 1, "VACUUM (ANALYZE) orders"),
        ok("ddl", 1, "ALTER TABLE customers ADD COLUMN phone text"),
        ok("ddl", 1, "ALTER TABLE \"we,ird \"\"name\"\"\" RENAME TO \"quite, normal\""),
        ok("write", 1, "INSERT INTO \"quite, normal\" VALUES (1)"),
        ok("write", 1, "TRUNCATE \"quite, normal\""),
        ok("ddl", 1, "DROP TABLE \"quite, normal\""),
        ok(
            "ddl",
            2,
            "CREATE TABLE big_spenders AS SELECT customer_id, sum(total) AS spent FROM orders GROUP BY 1",
        ),
        ok(
            "function",
            1,
            "DO $$\nBEGIN\n  PERFORM 1;\n  EXECUTE 'COMMENT ON TABLE big_spenders IS ''made by a DO block''';\nEND\n$$",
        ),
        ok(
            "ddl",
            1,
            "CREATE PROCEDURE close_day() LANGUAGE plpgsql AS $$ BEGIN UPDATE orders SET status = 'closed' WHERE status = 'paid'; END $$",
        ),
        ok("function", 2, "CALL close_day()"),
        ok("misc", 1, "REINDEX TABLE customers"),
        ok("misc", 1, "BEGIN ISOLATION LEVEL SERIALIZABLE"),
        ok("misc", 1, "LOCK TABLE orders IN SHARE MODE"),
        ok("misc", 1, "COMMIT"),
    ]
}
