//! Running the binary in a directory of its own, with nothing of this machine's configuration.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Server audit lines as MariaDB writes them.
pub const SERVER_AUDIT: &str = "\
20261121 03:58:17,db1,app,10.0.0.5,7,0,CONNECT,shop,,0
20261121 03:58:18,db1,app,10.0.0.5,7,21,READ,shop,payments,
20261121 03:58:18,db1,app,10.0.0.5,7,21,QUERY,shop,'SELECT * FROM payments WHERE id = 4',0
20261121 03:58:19,db1,mallory,10.0.0.9,8,0,FAILED_CONNECT,,,1045
20261121 03:58:20,db1,app,10.0.0.5,7,22,QUERY,shop,'DROP TABLE nothing_there',1051
";

/// A working directory for commands.
pub struct Home {
    directory: TempDir,
}

/// How a command ended.
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Home {
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    /// With a key, a configuration and an empty archive.
    pub fn with_archive() -> Self {
        let home = Self::new();
        home.run(&["init"]).succeeds();
        home
    }

    /// With an archive into which a log was imported as the instance `shop`.
    pub fn with_shop() -> Self {
        let home = Self::with_archive();
        home.write("logs/server_audit.log", SERVER_AUDIT);
        home.run(&["import", "logs", "--engine", "mariadb", "--instance", "shop"]).succeeds();
        home
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_auditkeep"));
        command.args(arguments).current_dir(self.directory.path()).env_clear().stdin(Stdio::null());
        // No instance metadata service, no configuration of whoever runs the tests.
        command.env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", self.directory.path());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(&self.command(arguments).output().unwrap())
    }

    pub fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
        Ended::of(&self.command(arguments).envs(environment.iter().copied()).output().unwrap())
    }

    pub fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Ended {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        Ended::of(&child.wait_with_output().unwrap())
    }

    /// Every file below a directory with its bytes: two of them are equal if nothing was written in between.
    pub fn snapshot(&self, name: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        collect_files(&self.path(name), &mut files);
        files.sort();
        files
    }
}

fn collect_files(directory: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect_files(&path, files);
        } else {
            files.push((path.clone(), std::fs::read(&path).unwrap()));
        }
    }
}

impl Ended {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout.clone()).unwrap(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    pub fn succeeds(self) -> Self {
        assert_eq!(self.code, 0, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Ends with this code, one error and one hint, and nothing on standard output.
    #[track_caller]
    pub fn fails(self, code: i32, message: &str) -> Self {
        let all = format!("stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        assert_eq!(self.code, code, "{all}");
        let lines = |start: &str| self.stderr.lines().filter(|line| line.starts_with(start)).count();
        assert_eq!((lines("error: "), lines("hint: ")), (1, 1), "{all}");
        assert!(self.stderr.contains(message), "expected `{message}`\n{all}");
        for internal in ["panicked", "Error {", "Custom {", "Os {"] {
            assert!(!self.stderr.contains(internal), "{all}");
        }
        self
    }

    /// Standard output as JSON lines.
    pub fn rows(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Standard output as one JSON object.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}
