//! The shop's ordinary day: orders through the application, reports by the analyst, maintenance by the DBA.

use super::super::script::{Planned, Scene, ok, session};
use super::{ALICE, APP, BOB, QUERY_LOG_LIMIT};

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
    const ITEMS: [&str; 4] = ["tea, green", "5\" nails", "Käse", "it''s a lamp"];
    let (id, customer) = (number.to_string(), (number % 3 + 1).to_string());
    let item = ITEMS[number as usize % ITEMS.len()];
    let (total, card) =
        (format!("{}.{:02}", number * 7 % 90 + 5, number % 100), format!("**** {:04}", number * 37 % 10_000));
    vec![
        ok("misc", 1, "START TRANSACTION"),
        ok("read", 1, "SELECT name, city FROM customers WHERE id = ?").prepared([Some(&customer)]),
        ok(
            "write",
            1,
            format!(
                "INSERT INTO orders (id, customer_id, item, total) VALUES ({id}, {customer}, '{item}', {total})"
            ),
        ),
        ok("write", 1, "INSERT INTO payments (id, order_id, card, amount) VALUES (?, ?, ?, ?)").prepared([
            Some(&id),
            Some(&id),
            Some(&card),
            Some(&total),
        ]),
        ok("write", 1, format!("UPDATE orders SET status = 'paid' WHERE id = {id}")),
        ok("misc", 1, "COMMIT"),
    ]
}

fn reports() -> Vec<Planned> {
    let fitting: Vec<String> = (1..=300).map(|id| id.to_string()).collect();
    let beyond: Vec<String> = (1..=QUERY_LOG_LIMIT / 2).map(|id| id.to_string()).collect();
    vec![
        ok("misc", 1, "SET SESSION max_statement_time = 30"),
        ok("read", 1, "SELECT city, count(*) FROM customers GROUP BY city ORDER BY 2 DESC"),
        ok("read", 1, "SELECT date(paid_at), sum(amount) FROM payments GROUP BY 1"),
        ok(
            "read",
            1,
            "SELECT c.name,\n       sum(p.amount) AS spent\n  FROM customers c\n  JOIN orders o ON o.customer_id = c.id\n  JOIN payments p ON p.order_id = o.id\n GROUP BY c.name",
        ),
        ok(
            "read",
            1,
            "SELECT `name` FROM customers WHERE name = 'O''Brien, \"Pat\"' OR city = 'Zürich' -- trailing comment",
        ),
        ok("read", 1, format!("SELECT count(*) FROM orders WHERE id IN ({}) {{m}}", fitting.join(", "))),
        ok("read", 1, format!("SELECT count(*) FROM orders WHERE id IN ({})", beyond.join(", "))).cut(),
        ok("read", 1, "SELECT card, amount FROM payments WHERE amount > ? ORDER BY amount DESC LIMIT 5")
            .prepared([Some("50.00")]),
        ok(
            "read",
            1,
            "SELECT name, 'AUDIT: SESSION,1,1,ROLE,DROP ROLE,,,drop role bob,<none>' AS note FROM customers",
        ),
        ok("misc", 1, "SHOW TABLES"),
    ]
}

fn warehouse_reports() -> Vec<Planned> {
    vec![
        ok("read", 1, "SELECT city, sum(total) FROM daily_sales WHERE day >= '2026-11-19' GROUP BY city"),
        ok("read", 1, "SELECT * FROM daily_sales WHERE city = ?").prepared([Some("Zürich, Altstadt")]),
        ok("read", 1, "SELECT * FROM daily_sales WHERE city = ? OR ? IS NULL").prepared([Some("Cork"), None]),
    ]
}

fn application() -> Vec<Planned> {
    vec![
        ok("misc", 1, "START TRANSACTION"),
        ok("write", 1, "UPDATE orders SET status = 'lost' WHERE status = 'new'"),
        ok("misc", 1, "ROLLBACK"),
        ok("read", 1, "SELECT spent_by(1)"),
        ok(
            "write",
            1,
            "INSERT INTO customers VALUES (4, 'tab\\tand\\nnewline \\\\ backslash', 'tab@example.com', 'São Paulo', NULL)",
        ),
        ok(
            "write",
            1,
            "INSERT INTO customers VALUES (7, '\u{1b}[2J\u{1b}[31mred\u{1b}[0m\u{7}', 'esc@example.com', 'Pisa', NULL)",
        ),
        ok("read", 1, "SELECT * FROM customers WHERE email = '' OR '1' = '1' -- '"),
        ok("function", 1, "CALL close_day('paid')"),
    ]
}

fn maintenance() -> Vec<Planned> {
    vec![
        ok("ddl", 1, "ALTER TABLE customers ADD COLUMN phone varchar(20)"),
        ok("ddl", 1, "RENAME TABLE `we,ird ``name``` TO `quite, normal`"),
        ok("write", 1, "INSERT INTO `quite, normal` VALUES (1)"),
        ok("write", 1, "TRUNCATE TABLE `quite, normal`"),
        ok("ddl", 1, "DROP TABLE `quite, normal`"),
        ok(
            "ddl",
            1,
            "CREATE TABLE big_spenders AS SELECT customer_id, sum(total) AS spent FROM orders GROUP BY 1",
        ),
        ok("misc", 1, "ANALYZE TABLE orders"),
        ok("misc", 1, "LOCK TABLES orders READ"),
        ok("misc", 1, "UNLOCK TABLES"),
    ]
}
