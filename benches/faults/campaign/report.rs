//! What a campaign found.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value as Json, json};
use servo_arm::control::safety::State;
use servo_arm::units::Time;

use super::Protocol;

/// The numbers of one protocol's campaign.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    protocol: Protocol,
    /// How many faults of each kind.
    pub(crate) injected: BTreeMap<&'static str, u64>,
    /// How often each state was entered.
    pub(crate) states: BTreeMap<String, u64>,
    /// Sentences about what must not be, the first few of each leg.
    pub(crate) violations: Vec<String>,
    /// Fresh positions where the joint was not.
    pub(crate) wrong_positions: u64,
    /// Goals and motions beyond the joints' limits, and joints that moved when they were switched on.
    pub(crate) out_of_limits: u64,
    /// Servos that held, or were told to, without being asked.
    pub(crate) unwanted_torque: u64,
    /// Servos that let go without being asked, and without having lost their power.
    pub(crate) lost_holds: u64,
    /// The longest time without news from a servo that could have answered (s).
    pub(crate) max_state_gap_s: f64,
    /// The longest time from the port's return until the arm was identified (s).
    pub(crate) max_reconnect_s: f64,
    /// How often the arm was identified again.
    pub(crate) reconnects: u64,
    /// Goals that ended, and those that were reached.
    pub(crate) goals: u64,
    pub(crate) goals_reached: u64,
    /// Fresh positions that were judged.
    pub(crate) positions: u64,
    /// The longest time between two moments at which the arm could move, outages included (s).
    pub(crate) max_out_of_service_s: f64,
    /// The arm's time.
    pub(crate) simulated: Duration,
}

/// What a campaign must keep: the time within which an arm whose port is back is identified (s).
pub(crate) const LONGEST_RECONNECT_S: f64 = 1.0;
const MOST_SENTENCES: usize = 12;

impl Report {
    /// Nothing was found yet.
    pub(crate) fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            injected: BTreeMap::new(),
            states: BTreeMap::new(),
            violations: Vec::new(),
            wrong_positions: 0,
            out_of_limits: 0,
            unwanted_torque: 0,
            lost_holds: 0,
            max_state_gap_s: 0.0,
            max_reconnect_s: 0.0,
            reconnects: 0,
            goals: 0,
            goals_reached: 0,
            positions: 0,
            max_out_of_service_s: 0.0,
            simulated: Duration::ZERO,
        }
    }

    /// So many faults of a kind were injected.
    pub(crate) fn injected(&mut self, kind: &'static str, count: u64) {
        *self.injected.entry(kind).or_default() += count;
    }

    /// The arm entered a state.
    pub(crate) fn entered(&mut self, state: State) {
        *self.states.entry(state.to_string()).or_default() += 1;
    }

    /// Something that must not be.
    pub(crate) fn violation(&mut self, at: Time, sentence: String) {
        if self.violations.len() < MOST_SENTENCES {
            self.violations.push(format!(
                "{}: at {:.4} s: {sentence}",
                self.protocol.name(),
                at.0 as f64 * 1e-9
            ));
        }
    }

    /// How many faults of all kinds there were.
    pub(crate) fn faults(&self) -> u64 {
        self.injected.values().sum()
    }

    /// Whether nothing was found that must not be.
    pub(crate) fn is_good(&self) -> bool {
        self.violations.is_empty()
            && [self.wrong_positions, self.out_of_limits, self.unwanted_torque, self.lost_holds] == [0; 4]
            && self.max_reconnect_s < LONGEST_RECONNECT_S
    }

    /// All numbers.
    pub(crate) fn json(&self) -> Json {
        json!({
            "protocol": self.protocol.name(),
            "minutes": self.simulated.as_secs_f64() / 60.0,
            "faults_injected": self.injected,
            "positions": self.positions,
            "wrong_positions": self.wrong_positions,
            "out_of_limits": self.out_of_limits,
            "unwanted_torque": self.unwanted_torque,
            "lost_holds": self.lost_holds,
            "max_state_gap_s": self.max_state_gap_s,
            "reconnects": self.reconnects,
            "max_reconnect_s": self.max_reconnect_s,
            "max_out_of_service_s": self.max_out_of_service_s,
            "goals": self.goals,
            "goals_reached": self.goals_reached,
            "states_entered": self.states,
            "violations": self.violations,
        })
    }
}
