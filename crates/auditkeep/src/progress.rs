//! Progress on long work: a bar on standard error when a person watches, silence otherwise.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::escape;

/// A bar that is gone when the work is done.
pub struct Bar(ProgressBar);

impl Bar {
    /// For work of known size in bytes, set with [`Bar::expect`].
    pub fn bytes(prefix: &str) -> Self {
        Self::new(prefix, "{prefix}  {bar:24} {bytes}/{total_bytes}  {wide_msg}")
    }

    /// For work whose end is not known.
    pub fn spinner(prefix: &str) -> Self {
        Self::new(prefix, "{spinner} {prefix}  {wide_msg}")
    }

    fn new(prefix: &str, template: &str) -> Self {
        let watched = std::io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(
            Some(0),
            if watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() },
        );
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(escape::line(prefix).into_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    pub fn expect(&self, bytes: u64) {
        self.0.inc_length(bytes);
    }

    pub fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    pub fn say(&self, message: &str) {
        self.0.set_message(escape::line(message).into_owned());
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
