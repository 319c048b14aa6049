//! The database engines whose audit logs auditkeep reads, by the names that RDS gives them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An engine, named as in `DescribeDBInstances`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    Postgres,
    AuroraPostgresql,
    Mysql,
    Mariadb,
    AuroraMysql,
}

/// The name is not one of an engine whose audit logs auditkeep can read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not an engine that auditkeep can read; it reads {}", Engine::names())]
pub struct UnknownEngine {
    pub name: String,
}

impl Engine {
    pub const ALL: [Self; 5] =
        [Self::Postgres, Self::AuroraPostgresql, Self::Mysql, Self::Mariadb, Self::AuroraMysql];

    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::AuroraPostgresql => "aurora-postgresql",
            Self::Mysql => "mysql",
            Self::Mariadb => "mariadb",
            Self::AuroraMysql => "aurora-mysql",
        }
    }

    /// All names, for messages: `postgres, aurora-postgresql, …`.
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    pub fn is_postgres(self) -> bool {
        matches!(self, Self::Postgres | Self::AuroraPostgresql)
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl FromStr for Engine {
    type Err = UnknownEngine;

    fn from_str(name: &str) -> Result<Self, UnknownEngine> {
        // Before 2021 `DescribeDBInstances` called Aurora MySQL 5.6 plainly `aurora`.
        let name = if name == "aurora" { "aurora-mysql" } else { name };
        Self::ALL
            .into_iter()
            .find(|engine| engine.name() == name)
            .ok_or_else(|| UnknownEngine { name: name.to_owned() })
    }
}
