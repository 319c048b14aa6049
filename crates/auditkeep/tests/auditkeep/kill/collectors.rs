//! Collectors as real processes, which end by themselves or are killed.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use auditkeep_lab::emulator::{DEFAULT_ACCESS_KEY_ID, DEFAULT_REGION, DEFAULT_SECRET_ACCESS_KEY};

use crate::command::{Ended, Home};

const SIGKILL: i32 = 9;

/// What a process is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    Archive,
    ArchiveAndDerive,
}

impl Work {
    pub fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Archive => &["collect", "--json", "--no-derive"],
            Self::ArchiveAndDerive => &["collect", "--json"],
        }
    }
}

/// How to start collectors of one emulator.
pub struct Collectors {
    endpoint: String,
}

/// When a process of a round begins, and how long it then lives at most.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    pub begins_after: Duration,
    pub killed_after: Option<Duration>,
}

impl Collectors {
    pub fn new(endpoint: String) -> Self {
        Self { endpoint }
    }

    fn environment(&self) -> [(&str, &str); 4] {
        [
            ("AWS_ENDPOINT_URL_RDS", &self.endpoint),
            ("AWS_ACCESS_KEY_ID", DEFAULT_ACCESS_KEY_ID),
            ("AWS_SECRET_ACCESS_KEY", DEFAULT_SECRET_ACCESS_KEY),
            ("AWS_REGION", DEFAULT_REGION),
        ]
    }

    /// One that nobody disturbs, and how long it took.
    pub fn undisturbed(&self, home: &Home, work: Work) -> (Ended, Duration) {
        let start = Instant::now();
        let ended = home.run_with(work.arguments(), &self.environment()).succeeds();
        (ended, start.elapsed())
    }

    /// One process a life, each in a thread of its own, and how many were killed before they ended by themselves.
    ///
    /// Those that ended by themselves must have succeeded.
    pub fn live(&self, home: &Home, work: Work, lives: &[Life]) -> usize {
        thread::scope(|scope| {
            let live = |(number, life)| scope.spawn(move || self.live_one(home, work, number, life));
            let threads: Vec<_> = lives.iter().enumerate().map(live).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).filter(|killed| *killed).count()
        })
    }

    fn live_one(&self, home: &Home, work: Work, number: usize, life: &Life) -> bool {
        let stderr = home.path(&format!("stderr-{number}"));
        let mut command = home.command(work.arguments());
        command.envs(self.environment()).stdout(Stdio::null()).stderr(File::create(&stderr).unwrap());
        thread::sleep(life.begins_after);
        let mut child = command.spawn().unwrap();
        if let Some(killed_after) = life.killed_after {
            thread::sleep(killed_after);
            // Nothing happens to one that has ended already: nobody else gets its id before it is waited for.
            child.kill().unwrap();
        }
        let status = child.wait().unwrap();
        let killed = status.signal() == Some(SIGKILL);
        assert!(killed || status.success(), "{status}: {}", std::fs::read_to_string(stderr).unwrap());
        killed
    }
}
