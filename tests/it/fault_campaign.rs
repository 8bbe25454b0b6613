//! A short campaign of `./run bench faults`: everything goes wrong, and what must not be is not.

use std::time::Duration;

use crate::campaign::{Plan, Protocol, run};

const PLAN: Plan = Plan { seed: 20, lasts: Duration::from_secs(50), damaged: 0.02 };

#[test]
fn with_every_fault_no_position_is_wrong_nothing_leaves_its_limits_and_no_torque_comes_unasked() {
    std::thread::scope(|threads| {
        for protocol in Protocol::ALL {
            let thread = std::thread::Builder::new().name(protocol.name().to_owned());
            thread.spawn_scoped(threads, move || survives(protocol)).unwrap();
        }
    });
}

fn survives(protocol: Protocol) {
    let report = run(protocol, PLAN);
    assert!(report.is_good(), "{:#}", report.json());
    let damages = protocol.damages().into_iter().filter_map(|(damage, _)| damage.split(' ').next());
    let checked = ["spoiled_request", "garbage_baud"].into_iter().filter(|_| protocol.checks_requests());
    let alarms = ["alarm_for_long"].into_iter().filter(|_| protocol.has_alarms());
    for kind in damages.chain(checked).chain(alarms).chain(["unplug", "power_dip", "dead_servo"]) {
        assert!(report.injected.contains_key(kind), "no {kind} in {:?}", report.injected);
    }
    assert!(
        100 < report.faults() && 0 < report.goals_reached && 0 < report.reconnects,
        "{:#}",
        report.json()
    );
}

#[test]
fn a_campaign_that_found_something_finds_it_again() {
    let plan = Plan { lasts: Duration::from_secs(5), ..PLAN };
    let [first, second] = [(); 2].map(|()| run(Protocol::FeetechSts, plan).json());
    assert_eq!(first, second);
    assert_ne!(first, run(Protocol::FeetechSts, Plan { seed: 21, ..plan }).json());
}
