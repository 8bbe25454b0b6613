//! What requests do to a roster of two controllers that share a joint, a gripper, and the broadcaster.

use super::*;

const ARM: usize = 0;
const OTHER: usize = 1;
const GRIPPER: usize = 2;

/// `other` shares the joint `elbow` with `arm` and is inactive.
fn roster() -> Roster {
    let controller = |name: &str, kind, joints: &[&str]| {
        let joints = joints.iter().map(|joint| (*joint).to_owned()).collect();
        Controller::started(ControllerEntry { name: name.to_owned(), kind }, joints, Lifecycle::Active)
    };
    let mut roster = Roster::new(vec![
        controller("arm", ControllerKind::JointTrajectory, &["shoulder", "elbow"]),
        controller("other", ControllerKind::JointTrajectory, &["elbow"]),
        controller("gripper", ControllerKind::Gripper, &["gripper"]),
        controller("states", ControllerKind::JointStateBroadcaster, &["shoulder", "elbow", "gripper"]),
    ]);
    roster.set_active(OTHER, false);
    roster
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn plan(activate: &[&str], deactivate: &[&str], strictness: Strictness) -> Result<Plan, Refusal> {
    roster().plan(&names(activate), &names(deactivate), strictness)
}

fn steps(activate: &[&str], deactivate: &[&str], strictness: Strictness) -> Vec<Step> {
    plan(activate, deactivate, strictness).unwrap().steps
}

fn refusal(activate: &[&str], deactivate: &[&str], strictness: Strictness) -> String {
    plan(activate, deactivate, strictness).unwrap_err().to_string()
}

const LENIENT: [Strictness; 2] = [Strictness::BestEffort, Strictness::Force];
const ALL: [Strictness; 3] = [Strictness::Strict, Strictness::BestEffort, Strictness::Force];

#[test]
fn a_switch_deactivates_before_it_activates() {
    for strictness in ALL {
        let expected = [Step::Deactivate(ARM), Step::Activate(OTHER)];
        assert_eq!(steps(&["other"], &["arm"], strictness), expected);
        assert_eq!(steps(&[], &["gripper", "arm", "arm"], strictness), [GRIPPER, ARM].map(Step::Deactivate));
    }
}

#[test]
fn what_is_so_already_needs_no_step() {
    for strictness in ALL {
        assert_eq!(plan(&["arm", "states"], &["other"], strictness), Ok(Plan::default()));
        assert_eq!(plan(&[], &[], strictness), Ok(Plan::default()));
    }
}

#[test]
fn a_controller_in_both_lists_is_refused() {
    for strictness in ALL {
        let said = refusal(&["gripper", "arm"], &["arm"], strictness);
        assert_eq!(said, "controller `arm` shall be activated and deactivated at once; say which");
    }
}

#[test]
fn a_strict_switch_with_an_impossible_member_is_refused_as_a_whole() {
    let strict = Strictness::Strict;
    assert_eq!(
        refusal(&["other", "nobody"], &["arm"], strict),
        "there is no controller `nobody`; there are arm, other, gripper, states"
    );
    assert!(refusal(&[], &["gripper", "states"], strict).contains("the hardware publishes"));
    assert_eq!(
        refusal(&["other"], &["gripper"], strict),
        "controller `other` needs joint `elbow`, which controller `arm` commands; deactivate that first"
    );
}

#[test]
fn with_the_best_effort_the_rest_is_done() {
    for strictness in LENIENT {
        let plan = plan(&["other", "nobody"], &["arm", "states"], strictness).unwrap();
        assert_eq!(plan.steps, [Step::Deactivate(ARM), Step::Activate(OTHER)]);
        assert_eq!(plan.left_out.len(), 2);
    }
}

#[test]
fn where_nothing_of_a_list_is_possible_nothing_is_done() {
    for strictness in LENIENT {
        assert!(refusal(&["nobody"], &["arm"], strictness).contains("`nobody`"));
        assert!(refusal(&["gripper"], &["states"], strictness).contains("the hardware publishes"));
    }
    assert!(refusal(&["other"], &[], Strictness::BestEffort).contains("joint `elbow`"));
}

#[test]
fn force_deactivates_who_has_the_joints() {
    assert_eq!(steps(&["other"], &[], Strictness::Force), [Step::Deactivate(ARM), Step::Activate(OTHER)]);
}

#[test]
fn two_of_one_list_cannot_have_the_same_joint() {
    let mut roster = roster();
    roster.set_active(ARM, false);
    let wanted = names(&["arm", "other"]);
    assert!(roster.plan(&wanted, &[], Strictness::Strict).unwrap_err().to_string().contains("joint `elbow`"));
    for strictness in LENIENT {
        let plan = roster.plan(&wanted, &[], strictness).unwrap();
        assert_eq!((plan.steps, plan.left_out.len()), (vec![Step::Activate(ARM)], 1));
    }
}

#[test]
fn a_controller_that_is_not_inactive_cannot_be_activated() {
    let mut roster = roster();
    let wanted = names(&["other"]);
    roster.clean_up("other").unwrap();
    let unconfigured = Refusal::Unconfigured("other".to_owned());
    assert_eq!(roster.plan(&wanted, &names(&["arm"]), Strictness::Strict), Err(unconfigured));
    roster.unload("other").unwrap();
    let not_loaded = Refusal::NotLoaded("other".to_owned());
    assert_eq!(roster.plan(&wanted, &names(&["arm"]), Strictness::Strict), Err(not_loaded));
}

#[test]
fn a_controller_goes_from_not_loaded_to_inactive_and_back() {
    let mut roster = roster();
    assert_eq!(roster.load("other"), Err(Refusal::Loaded("other".to_owned())));
    roster.unload("other").unwrap();
    roster.set_active(OTHER, true);
    assert!(roster.loaded().all(|(controller, _)| controller.name != "other"));
    assert_eq!(roster.configure("other"), Err(Refusal::NotLoaded("other".to_owned())));
    roster.load("other").unwrap();
    assert_eq!(roster.get(OTHER).unwrap().state, Some(Lifecycle::Unconfigured));
    roster.configure("other").unwrap();
    assert_eq!(roster.get(OTHER).unwrap().state, Some(Lifecycle::Inactive));
    roster.clean_up("other").unwrap();
    assert_eq!(roster.get(OTHER).unwrap().state, Some(Lifecycle::Unconfigured));
}

#[test]
fn an_active_controller_stays_as_it_is() {
    let mut roster = roster();
    let active = Err(Refusal::Active("arm".to_owned()));
    assert_eq!((roster.unload("arm"), roster.clean_up("arm")), (active.clone(), active));
    assert_eq!(roster.configure("arm"), Ok(()));
    assert!(roster.get(ARM).unwrap().is_active());
}

#[test]
fn joints_are_claimed_by_active_controllers_only_and_never_by_the_broadcaster() {
    let mut roster = roster();
    assert!(roster.is_claimed("elbow") && roster.is_claimed("gripper"));
    roster.set_active(ARM, false);
    assert!(!roster.is_claimed("elbow") && !roster.is_claimed("shoulder"));
}

#[test]
fn an_unknown_name_is_answered_with_those_that_there_are() {
    let said = roster().load("arm_controler").unwrap_err().to_string();
    assert_eq!(said, "there is no controller `arm_controler`; there are arm, other, gripper, states");
}

#[test]
fn hardware_is_active_while_it_can_move() {
    for state in [State::Holding, State::Active, State::Degraded] {
        assert_eq!(Lifecycle::from(state), Lifecycle::Active);
    }
    for state in
        [State::Identified, State::Energizing, State::Releasing, State::Faulted, State::EmergencyStop]
    {
        assert_eq!(Lifecycle::from(state), Lifecycle::Inactive);
    }
    assert_eq!(Lifecycle::from(State::Disconnected), Lifecycle::Unconfigured);
}

#[test]
fn a_controller_that_was_shut_down_is_listed_as_that_and_nothing_is_done_with_it() {
    let mut roster = roster();
    roster.shut_down(ARM);
    roster.set_active(ARM, true);
    assert_eq!(roster.states().next(), Some(Lifecycle::Finalized));
    assert!(
        roster.loaded().any(|(controller, state)| controller.name == "arm" && state.word() == "finalized")
    );
    let refused = Err(Refusal::Finalized("arm".to_owned()));
    assert_eq!(
        [roster.configure("arm"), roster.clean_up("arm"), roster.unload("arm")],
        [(); 3].map(|()| refused.clone())
    );
    let plan = roster.plan(&names(&["arm"]), &[], Strictness::Strict);
    assert!(plan.unwrap_err().to_string().contains("was shut down"));
    assert!(!roster.is_claimed("shoulder"));
}

#[test]
fn news_of_a_controller_that_is_not_configured_change_nothing() {
    let mut roster = roster();
    roster.clean_up("other").unwrap();
    roster.set_active(OTHER, false);
    assert_eq!(roster.states().nth(OTHER), Some(Lifecycle::Unconfigured));
}
