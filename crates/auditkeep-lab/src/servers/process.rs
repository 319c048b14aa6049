//! The parts of a launcher that do not depend on the server: whom it runs as, its directory, its process and its end.
//!
//! A child never outlives its handle: dropping it asks the server to end, waits, and kills it in the end. A small shell
//! watches this process through a pipe. When this process ends without dropping the handle, because it was killed or
//! because the handle is a static, the shell stops the server and removes its directory.

use std::fs;
use std::io;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use super::ServerError;

/// How long a server may take to end before it is killed.
const GRACE: Duration = Duration::from_secs(20);
/// How much of a server's own log goes into an error.
const LOG_TAIL: usize = 2_000;
/// Blocks until the pipe to this process closes, then stops the server and removes its directory once it has ended. The
/// arguments are the signal, the process id and the directory, which may be empty. Where several servers share a directory,
/// one may still write while the shell of another removes it, so it is tried again.
const WATCHDOG: &str = r#"
read -r _
kill -s "$1" "$2" 2>/dev/null
[ -n "$3" ] || exit 0
for _ in 1 2 3 4 5 6 7 8 9 10; do
    kill -0 "$2" 2>/dev/null || rm -rf -- "$3" 2>/dev/null
    [ -e "$3" ] || exit 0
    sleep 0.5
done
"#;

/// The system user that a server runs as when this process is root.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServiceUser {
    uid: u32,
    gid: u32,
}

impl ServiceUser {
    /// Finds the user; `None` when this process is not root, for then the server runs as the present user.
    pub(super) fn find(name: &'static str) -> Result<Option<Self>, ServerError> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        let path = Path::new("/etc/passwd");
        let users = fs::read_to_string(path).map_err(|source| ServerError::file("read", path, source))?;
        let found = users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let is_wanted = fields.next() == Some(name);
            let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
            is_wanted.then_some(Self { uid, gid })
        });
        found.map(Some).ok_or(ServerError::NoServiceUser { user: name })
    }
}

/// A private directory that the server's user owns.
pub(super) fn private_directory(prefix: &str, user: Option<ServiceUser>) -> Result<TempDir, ServerError> {
    let temp = std::env::temp_dir();
    let directory = tempfile::Builder::new().prefix(prefix).tempdir_in(&temp);
    let directory = directory.map_err(|source| ServerError::file("make a directory in", &temp, source))?;
    give(directory.path(), user)?;
    Ok(directory)
}

/// Makes a directory inside the private one.
pub(super) fn subdirectory(path: &Path, user: Option<ServiceUser>) -> Result<(), ServerError> {
    fs::create_dir(path).map_err(|source| ServerError::file("make directory", path, source))?;
    give(path, user)
}

fn give(path: &Path, user: Option<ServiceUser>) -> Result<(), ServerError> {
    let Some(user) = user else { return Ok(()) };
    chown(path, Some(user.uid), Some(user.gid))
        .map_err(|source| ServerError::file("hand over directory", path, source))
}

/// A command that runs as the server's user, in its directory, in UTC, with nothing of the caller's environment that could
/// point a server elsewhere.
pub(super) fn command(program: &Path, directory: &Path, user: Option<ServiceUser>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(directory).stdin(Stdio::null());
    command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC");
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
    command
}

/// Runs a program that prepares a data directory, to its end.
pub(super) fn prepare(command: &mut Command, program: &'static str) -> Result<(), ServerError> {
    let output = command.output();
    let output =
        output.map_err(|source| ServerError::file("run", Path::new(command.get_program()), source))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(ServerError::Prepare { program, status: output.status, output: tail(&text) })
}

/// The end of a server's log, printable.
pub(super) fn log_tail(path: &Path) -> String {
    fs::read(path).map_or_else(|error| format!("(cannot be read: {error})"), |bytes| tail(&bytes))
}

fn tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let start = text.char_indices().rev().nth(LOG_TAIL).map_or(0, |(index, _)| index);
    text.get(start..).unwrap_or_default().trim().escape_debug().to_string()
}

/// A running server.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    watchdog: Option<Child>,
    /// Asks the server to end in good order.
    graceful: Signal,
    /// Asks the server to end at once, its children included.
    immediate: Signal,
}

impl Running {
    /// `directory` is what the server must not leave behind, if there is anything.
    pub(super) fn spawn(
        command: &mut Command,
        graceful: Signal,
        immediate: Signal,
        directory: Option<&Path>,
    ) -> io::Result<Self> {
        let child = command.process_group(0).spawn()?;
        let mut running = Self { child, watchdog: None, graceful, immediate };
        running.watchdog = Some(running.watch(directory)?);
        Ok(running)
    }

    fn watch(&self, directory: Option<&Path>) -> io::Result<Child> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", WATCHDOG, "watchdog"]);
        shell.arg(self.immediate.as_raw().to_string()).arg(self.child.id().to_string());
        shell.arg(directory.unwrap_or(Path::new("")));
        // Its own group, for a Ctrl-C at the terminal must not end it before it has done its work.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
    }

    /// What the server writes to its standard error, if that was asked to be a pipe and is not taken yet.
    pub(super) fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the server has ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends the server in good order and waits for it; its log is complete afterwards.
    pub(super) fn stop(mut self) -> io::Result<ExitStatus> {
        self.end(self.graceful)
    }

    fn end(&mut self, signal: Signal) -> io::Result<ExitStatus> {
        // The watchdog goes first: later the process id may belong to somebody else.
        if let Some(mut watchdog) = self.watchdog.take() {
            watchdog.kill()?;
            watchdog.wait()?;
        }
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        let id = Pid::from_child(&self.child);
        kill_process(id, signal)?;
        let asked = Instant::now();
        while asked.elapsed() < GRACE {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            thread::sleep(super::POLL);
        }
        self.child.kill()?;
        self.child.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.end(self.immediate) {
            tracing::warn!(%error, process = self.child.id(), "a server could not be stopped");
        }
    }
}
