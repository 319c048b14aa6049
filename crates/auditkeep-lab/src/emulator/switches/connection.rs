//! Answers that arrive late, slowly, in part, or not to their end.

use std::time::Duration;

use serde::Deserialize;

use crate::span;

/// What is wrong with the connection. Bytes are those of the body on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ConnectionFlaw {
    /// It breaks off: the client's library reports a body that is not whole.
    Cut {
        /// After so many bytes.
        after_bytes: u64,
    },
    /// The body ends too early, and properly: only its length or its content tells. A server that reads by name from a
    /// file that has just become shorter ends so.
    EndEarly {
        /// After so many bytes.
        after_bytes: u64,
    },
    /// Nothing comes for a while.
    Stall {
        /// After so many bytes.
        after_bytes: u64,
        /// For so long.
        #[serde(rename = "for", deserialize_with = "span::required")]
        pause: Duration,
    },
    /// It is slow.
    Slow {
        /// How slow; at least 1.
        bytes_per_second: u64,
    },
}

impl ConnectionFlaw {
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Cut { .. } => "cut",
            Self::EndEarly { .. } => "end-early",
            Self::Stall { .. } => "stall",
            Self::Slow { .. } => "slow",
        }
    }
}

/// What to do next with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Send so many of the bytes that are there.
    Send(usize),
    /// Wait, then ask again.
    Wait(Duration),
    /// Break the connection off.
    Break,
    /// End the body as if it were whole.
    End,
}

/// How far a body has got, and what still happens to it. Holds no connection.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    flaws: Vec<ConnectionFlaw>,
    sent: u64,
    /// Slow connections wait after each piece.
    owed: Duration,
}

/// The pieces of a slow body, in parts of a second.
const PIECES_PER_SECOND: u64 = 20;

impl Flow {
    pub(crate) fn new(flaws: Vec<ConnectionFlaw>) -> Self {
        Self { flaws, ..Self::default() }
    }

    pub(crate) fn is_plain(&self) -> bool {
        self.flaws.is_empty()
    }

    /// The next step, and the kind of the fault that it is, if it is one.
    pub(crate) fn step(&mut self, available: usize) -> (Step, Option<&'static str>) {
        if !self.owed.is_zero() {
            return (Step::Wait(std::mem::take(&mut self.owed)), None);
        }
        let sent = self.sent;
        if let Some(index) = self.flaws.iter().position(|flaw| flaw.limit() == Some(sent)) {
            let flaw = self.flaws.remove(index);
            let step = match flaw {
                ConnectionFlaw::Cut { .. } => Step::Break,
                ConnectionFlaw::Stall { pause, .. } => Step::Wait(pause),
                ConnectionFlaw::EndEarly { .. } | ConnectionFlaw::Slow { .. } => Step::End,
            };
            return (step, Some(flaw.kind()));
        }
        let mut length = available as u64;
        for flaw in &self.flaws {
            match flaw.limit() {
                Some(limit) if limit > sent => length = length.min(limit - sent),
                Some(_) => {}
                None => length = length.min(flaw.piece()),
            }
        }
        self.sent += length;
        self.owed = self.flaws.iter().map(|flaw| flaw.price(length)).max().unwrap_or_default();
        (Step::Send(usize::try_from(length).unwrap_or(available)), None)
    }
}

impl ConnectionFlaw {
    /// After how many bytes something happens.
    fn limit(self) -> Option<u64> {
        match self {
            Self::Cut { after_bytes } | Self::EndEarly { after_bytes } | Self::Stall { after_bytes, .. } => {
                Some(after_bytes)
            }
            Self::Slow { .. } => None,
        }
    }

    fn piece(self) -> u64 {
        match self {
            Self::Slow { bytes_per_second } => (bytes_per_second / PIECES_PER_SECOND).max(1),
            _ => u64::MAX,
        }
    }

    /// How long it takes to send so many bytes.
    fn price(self, bytes: u64) -> Duration {
        match self {
            Self::Slow { bytes_per_second } => {
                Duration::from_micros(bytes.saturating_mul(1_000_000) / bytes_per_second.max(1))
            }
            _ => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(flaws: &[ConnectionFlaw], mut left: usize) -> Vec<Step> {
        let mut flow = Flow::new(flaws.to_vec());
        let mut steps = Vec::new();
        while left > 0 {
            let (step, _) = flow.step(left);
            let last = matches!(step, Step::Break | Step::End);
            if let Step::Send(bytes) = step {
                left -= bytes;
            }
            steps.push(step);
            if last {
                break;
            }
        }
        steps
    }

    #[test]
    fn a_plain_body_goes_out_as_it_comes() {
        assert!(Flow::default().is_plain());
        assert_eq!(steps(&[], 10), [Step::Send(10)]);
    }

    #[test]
    fn it_ends_where_it_is_told_to() {
        assert_eq!(steps(&[ConnectionFlaw::Cut { after_bytes: 4 }], 10), [Step::Send(4), Step::Break]);
        assert_eq!(steps(&[ConnectionFlaw::Cut { after_bytes: 0 }], 10), [Step::Break]);
        assert_eq!(steps(&[ConnectionFlaw::Cut { after_bytes: 11 }], 10), [Step::Send(10)]);
        assert_eq!(steps(&[ConnectionFlaw::EndEarly { after_bytes: 4 }], 10), [Step::Send(4), Step::End]);
    }

    #[test]
    fn flaws_add_up() {
        let pause = Duration::from_millis(50);
        let flaws = [ConnectionFlaw::Cut { after_bytes: 6 }, ConnectionFlaw::Stall { after_bytes: 4, pause }];
        assert_eq!(steps(&flaws, 10), [Step::Send(4), Step::Wait(pause), Step::Send(2), Step::Break]);
        let slow = ConnectionFlaw::Slow { bytes_per_second: 100 };
        assert_eq!(steps(&[slow], 10), [Step::Send(5), Step::Wait(Duration::from_millis(50)), Step::Send(5)]);
    }
}
