//! The switchboard: numbers the calls, asks the rules, and keeps what the limits have left.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::emulator::behaviour::Behaviour;
use crate::emulator::switches::{self, Call, Numbers, Operation, Plan, Refusal, Throttle};

/// A behaviour in force. A new one begins to count anew.
#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) behaviour: Behaviour,
    since_ms: i64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    of_operation: HashMap<Operation, u64>,
    of_instance: HashMap<(Operation, String), u64>,
    throttle: Throttle,
}

impl Board {
    pub(crate) fn new(behaviour: Behaviour, now_ms: i64) -> Self {
        Self { behaviour, since_ms: now_ms, state: Mutex::default() }
    }

    /// What is going to happen to a call. A call over a limit is refused whatever the rules say.
    pub(crate) fn decide(&self, call: &Call, now_ms: i64) -> Plan {
        let Behaviour { limits, rules, seed, .. } = &self.behaviour;
        if limits.is_empty() && rules.is_empty() {
            return Plan::default();
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let numbers = state.number(call, now_ms - self.since_ms);
        let mut plan = switches::plan(rules, *seed, call, numbers);
        if !state.throttle.admits(limits, call.operation, now_ms) {
            plan.refusal = Some(Refusal::Throttle);
        }
        plan
    }
}

impl State {
    fn number(&mut self, call: &Call, elapsed_ms: i64) -> Numbers {
        let of_operation = self.of_operation.entry(call.operation).or_default();
        *of_operation += 1;
        let instance = call.instance.as_deref().unwrap_or_default().to_ascii_lowercase();
        let of_instance = self.of_instance.entry((call.operation, instance)).or_default();
        *of_instance += 1;
        let elapsed = Duration::from_millis(u64::try_from(elapsed_ms).unwrap_or(0));
        Numbers { of_instance: *of_instance, of_operation: *of_operation, elapsed }
    }
}
