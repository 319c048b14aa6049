//! Audit records to fill logs with; no two are the same.

use fastrand::Rng;

/// A record's bytes, and the statement that must come out of them, if an event must.
#[derive(Clone, Debug)]
pub struct Record {
    pub bytes: Vec<u8>,
    pub statement: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    ServerAudit,
    Csv,
    Stderr,
}

impl Grammar {
    /// Record number `number`, with a statement of about `length` bytes.
    pub fn record(self, number: u64, length: usize) -> Record {
        let pad = "x".repeat(length.saturating_sub(24));
        match self {
            Self::ServerAudit => {
                let statement = format!("select {number} /* {pad} */");
                let line =
                    format!("20261121 03:58:17,db-1,app,10.0.0.7,33,{number},QUERY,shop,'{statement}',0\n");
                Record { bytes: line.into_bytes(), statement: Some(statement) }
            }
            Self::Csv => {
                let statement = format!("select \"{number}\"\n /* {pad} */");
                let field = statement.replace('"', "\"\"");
                // pgAudit quotes the statement, and csvlog quotes pgAudit's message.
                let message = format!("AUDIT: SESSION,{number},1,READ,SELECT,,,\"{field}\",<not logged>");
                let bytes = csv(number, &message);
                Record { bytes, statement: Some(statement) }
            }
            Self::Stderr => {
                let statement = format!("select {number} /* {pad} */");
                let line = format!(
                    "2026-11-21 03:58:17 UTC:10.0.0.7(45172):app@shop:[28741]:LOG:  \
                     AUDIT: SESSION,{number},1,READ,SELECT,,,{statement},<not logged>\n"
                );
                Record { bytes: line.into_bytes(), statement: Some(statement) }
            }
        }
    }

    pub fn random(self, number: u64, rng: &mut Rng) -> Record {
        let length = match rng.u8(..) {
            0..=9 => rng.usize(1_000..20_000),
            10..=99 => rng.usize(100..500),
            _ => rng.usize(24..100),
        };
        self.record(number, length)
    }
}

fn csv(number: u64, message: &str) -> Vec<u8> {
    let message = message.replace('"', "\"\"");
    format!(
        "2026-11-21 03:58:17.123 UTC,\"app\",\"shop\",28741,\"10.0.0.7:45172\",6b01.{number:x},7,\"SELECT\",\
         2026-11-21 03:58:00 UTC,3/12,0,LOG,00000,\"{message}\",,,,,,,,,\"psql\",\"client backend\",,0\n"
    )
    .into_bytes()
}
