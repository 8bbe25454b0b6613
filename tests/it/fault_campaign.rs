//! A short campaign of `./run bench faults`: everything goes wrong, and what must not be is not.

use std::time::Duration;

use crate::campaign::{Plan, Protocol, run};

const PLAN: Plan = Plan { seed: 20, lasts: Duration::from_secs(50), damaged: 0.02 };

#[test]
fn with_every_fault_no_position_is_wrong_nothing_leaves_its_limits_and_no_torque_comes_unasked() {
    for protocol in Protocol::ALL {
        let report = run(protocol, PLAN);
        assert!(report.is_good(), "{:#}", report.json());
        let injected = &report.json()["faults_injected"];
        for kind in [
            "silent",
            "late",
            "truncated",
            "corrupt",
            "noise",
            "duplicate",
            "wrong_id",
            "stale",
            "dribble",
            "alarm",
            "spoiled_request",
            "unplug",
            "power_dip",
            "dead_servo",
            "garbage_baud",
            "alarm_for_long",
        ] {
            // An LX-16A's answers have no room for alarms.
            if (protocol, kind) == (Protocol::Lx16a, "alarm") {
                continue;
            }
            assert!(0 < injected[kind].as_u64().unwrap_or(0), "no {kind} in {injected}");
        }
        assert!(
            100 < report.faults() && 0 < report.goals_reached && 0 < report.reconnects,
            "{:#}",
            report.json()
        );
    }
}

#[test]
fn a_campaign_that_found_something_finds_it_again() {
    let plan = Plan { lasts: Duration::from_secs(5), ..PLAN };
    let [first, second] = [(); 2].map(|()| run(Protocol::FeetechSts, plan).json());
    assert_eq!(first, second);
    assert_ne!(first, run(Protocol::FeetechSts, Plan { seed: 21, ..plan }).json());
}
