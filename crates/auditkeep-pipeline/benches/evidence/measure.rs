//! Measuring: processes that are tied to cores, time on the wall and on the processor, and peak memory.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::Outcome;

/// How a case is started.
pub struct Run {
    cores: usize,
}

impl Run {
    pub fn on_cores(cores: usize) -> Self {
        Self { cores }
    }

    /// Runs this program again for one case, on the first cores of the machine.
    pub fn case(&self, words: &[&str]) -> Outcome {
        let cores = format!("0-{}", self.cores - 1);
        let mut child = Command::new("taskset");
        child.arg("--cpu-list").arg(cores).arg(std::env::current_exe()?).arg("case").args(words);
        let status = child.env(CORES, self.cores.to_string()).status()?;
        if status.success() { Ok(()) } else { Err(format!("the case {words:?} failed").into()) }
    }
}

const CORES: &str = "EVIDENCE_CORES";

/// A runtime on as many cores as the case was started for, which is all that the process has.
pub fn runtime() -> Outcome<tokio::runtime::Runtime> {
    let cores: usize = std::env::var(CORES)?.parse()?;
    let mut builder = match cores {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    Ok(builder.worker_threads(cores).enable_all().build()?)
}

/// What something took.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    pub wall: Duration,
    /// Of all threads of this process, in user and in system.
    pub cpu: Duration,
}

impl Took {
    pub const NEVER: Self = Self { wall: Duration::MAX, cpu: Duration::MAX };

    /// The better of two rounds; noise only ever adds.
    pub fn or_less(self, other: Self) -> Self {
        Self { wall: self.wall.min(other.wall), cpu: self.cpu.min(other.cpu) }
    }

    /// MB (10^6 bytes) per second, on the wall and on the processor; nothing for what was too short to be counted.
    pub fn speed(&self, bytes: u64) -> String {
        let rate = |time: Duration| match time {
            time if time < TICK => "-".to_owned(),
            time => format!("{:.0}", bytes as f64 / 1e6 / time.as_secs_f64()),
        };
        format!("{:>6} MB/s, {:>6} MB per CPU second", rate(self.wall), rate(self.cpu))
    }

    /// How fast this was, of what `reference` reached.
    pub fn ratio(&self, reference: &Self) -> String {
        let of = |reference: Duration, time: Duration| 100.0 * reference.as_secs_f64() / time.as_secs_f64();
        format!(
            "{:>4.0} % by wall, {:>4.0} % by CPU",
            of(reference.wall, self.wall),
            of(reference.cpu, self.cpu)
        )
    }
}

/// Measures from here.
pub struct Stopwatch {
    wall: Instant,
    cpu: Duration,
}

impl Stopwatch {
    pub fn start() -> Self {
        Self { wall: Instant::now(), cpu: cpu_time() }
    }

    pub fn took(&self) -> Took {
        Took { wall: self.wall.elapsed(), cpu: cpu_time().saturating_sub(self.cpu) }
    }
}

/// The system counts the processor's time in these.
const TICK: Duration = Duration::from_millis(10);

fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is a name in parentheses; user and system time are the fourteenth and fifteenth.
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = behind_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
    TICK * u32::try_from(ticks.sum::<u64>()).unwrap_or(u32::MAX)
}

/// Peak and present resident memory of this process, in MiB.
pub fn memory() -> Outcome<(u64, u64)> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok()
    };
    let (peak, now) = (field("VmHWM:"), field("VmRSS:"));
    Ok((peak.ok_or("no VmHWM")? / 1024, now.ok_or("no VmRSS")? / 1024))
}

/// The machine, as far as a number means nothing without it.
pub fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!("{}, {cores} cores, {}", model.trim_start_matches([' ', '\t', ':']), std::env::consts::OS)
}
