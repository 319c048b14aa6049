//! Logs that grow while the test does something else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use auditkeep_lab::emulator::Emulator;

use super::sources::Sources;

/// Between two times that something is written.
const PAUSE: Duration = Duration::from_millis(100);

/// Sources that are written to until this is told to stop, or dropped.
pub struct Growth {
    sources: Arc<Mutex<Sources>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Growth {
    pub fn start(emulator: Arc<Emulator>, sources: Arc<Mutex<Sources>>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, growing) = (Arc::clone(&stop), Arc::clone(&sources));
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let mut sources = growing.lock().unwrap();
                sources.grow();
                emulator.set_fleet(sources.fleet()).unwrap();
                drop(sources);
                thread::sleep(PAUSE);
            }
        });
        Self { sources, stop, thread: Some(thread) }
    }

    /// How many instances there are now.
    pub fn instances(&self) -> usize {
        self.sources.lock().unwrap().created().count()
    }

    pub fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Growth {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
