//! Direction of the dependencies between the workspace's crates: auditkeep → {aws, events, lab} → pipeline → archive → core.
//!
//! The lab stands alone, so that it can play RDS for any of them; therefore every crate may use it in its tests.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use serde_json::Value;

use crate::shell;

/// Each crate with the crates it may depend on. A crate that is not listed is a violation: its place must be decided.
const ALLOWED: &[(&str, &[&str])] = &[
    ("auditkeep-core", &[]),
    ("auditkeep-archive", &["auditkeep-core"]),
    ("auditkeep-pipeline", &["auditkeep-archive", "auditkeep-core"]),
    ("auditkeep-aws", &["auditkeep-pipeline", "auditkeep-archive", "auditkeep-core"]),
    ("auditkeep-events", &["auditkeep-pipeline", "auditkeep-archive", "auditkeep-core"]),
    ("auditkeep-lab", &[]),
    (
        "auditkeep",
        &[
            "auditkeep-aws",
            "auditkeep-events",
            "auditkeep-lab",
            "auditkeep-pipeline",
            "auditkeep-archive",
            "auditkeep-core",
        ],
    ),
    ("xtask", &[]),
];
const LAB: &str = "auditkeep-lab";

pub(super) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let metadata = ["metadata", "--format-version=1", "--no-deps"];
    let metadata = shell::output(Command::new(env!("CARGO")).current_dir(root).args(metadata))?;
    violations(&serde_json::from_str(&metadata).context("read the output of `cargo metadata`")?)
}

fn violations(metadata: &Value) -> anyhow::Result<Vec<String>> {
    let packages = metadata["packages"].as_array().context("`cargo metadata` lists no packages")?;
    let mut violations = Vec::new();
    for package in packages {
        let name = package["name"].as_str().context("a package has no name")?;
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
            violations
                .push(format!("{name}: an unknown crate; give it a place in tidy's list of directions"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            // Only dependencies inside the workspace have a path.
            let (Some(target), true) = (dependency["name"].as_str(), dependency["path"].is_string()) else {
                continue;
            };
            // A crate names itself for what its tests have switched on.
            let in_tests = dependency["kind"] == "dev" && (target == LAB || target == name);
            if !allowed.contains(&target) && !in_tests {
                violations.push(format!("{name}: may not depend on {target}"));
            }
        }
    }
    Ok(violations)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::violations;

    fn package(name: &str, dependency: &str, kind: Option<&str>) -> serde_json::Value {
        let dependency = json!({ "name": dependency, "kind": kind, "path": "/somewhere" });
        json!({ "packages": [{ "name": name, "dependencies": [dependency] }] })
    }

    #[test]
    fn a_dependency_against_the_direction_is_named() {
        let found = violations(&package("auditkeep-core", "auditkeep-archive", None)).unwrap();
        assert_eq!(found, ["auditkeep-core: may not depend on auditkeep-archive"]);
        assert_eq!(violations(&package("auditkeep-lab", "auditkeep-core", Some("dev"))).unwrap().len(), 1);
        assert_eq!(violations(&package("auditkeep-aws", "auditkeep-events", None)).unwrap().len(), 1);
    }

    #[test]
    fn the_lab_serves_tests_of_every_crate_but_not_their_code() {
        assert!(violations(&package("auditkeep-pipeline", "auditkeep-lab", Some("dev"))).unwrap().is_empty());
        assert_eq!(violations(&package("auditkeep-pipeline", "auditkeep-lab", None)).unwrap().len(), 1);
    }

    #[test]
    fn a_crate_may_name_itself_for_its_tests_alone() {
        assert!(
            violations(&package("auditkeep-archive", "auditkeep-archive", Some("dev"))).unwrap().is_empty()
        );
        assert_eq!(violations(&package("auditkeep-archive", "auditkeep-archive", None)).unwrap().len(), 1);
    }

    #[test]
    fn a_new_crate_needs_a_place() {
        assert_eq!(violations(&package("auditkeep-new", "auditkeep-core", None)).unwrap().len(), 1);
    }

    #[test]
    fn crates_from_elsewhere_are_free() {
        let metadata =
            json!({ "packages": [{ "name": "auditkeep-core", "dependencies": [{ "name": "memchr" }] }] });
        assert!(violations(&metadata).unwrap().is_empty());
    }
}
