//! What may be said of watching, and what may not.

use super::*;
use crate::config::parameters::Parameters;

fn read(given: &[(&str, Value)]) -> (WatchConfig, Vec<String>) {
    let given: Parameters = given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let mut declaration = Declaration::new(&given);
    let joints = ["elbow".to_owned(), "gripper".to_owned()];
    let config = WatchConfig::declare(&mut declaration, &joints);
    let (_, errors) = declaration.finish();
    (config, errors.iter().map(ToString::to_string).collect())
}

#[test]
fn the_table_has_every_cause_at_its_place_and_no_warning_beyond_its_trip() {
    for (index, watched) in Watched::ALL.into_iter().enumerate() {
        assert_eq!((watched.index(), watched.spec().watched), (index, watched));
    }
    let (config, errors) = read(&[]);
    assert_eq!((config.joints, errors), (vec![JointWatch::default(); 2], vec![]));
}

#[test]
fn a_joint_has_its_own_levels_where_they_are_given_and_the_common_ones_elsewhere() {
    let (config, errors) = read(&[
        ("watch.temperature.trip_degc", Value::Double(70.0)),
        ("watch.temperature.joints.gripper.warn_degc", Value::Double(50.0)),
        ("watch.stall.joints.gripper.action", Value::String("warn".into())),
        ("watch.stall.joints.gripper.error_rad", Value::Double(0.3)),
    ]);
    assert_eq!(errors, Vec::<String>::new());
    let of = |joint: usize| *config.joints[joint].levels(Watched::Temperature);
    assert_eq!((of(0).warn, of(0).trip, of(1).warn, of(1).trip), (60.0, 70.0, 50.0, 70.0));
    assert_eq!(config.joints[0].levels(Watched::Stall).action, Action::Hold);
    assert_eq!(config.joints[1].levels(Watched::Stall).action, Action::Warn);
    assert_eq!((config.joints[0].stall.error, config.joints[1].stall.error), (0.1, 0.3));
}

#[test]
fn a_warning_beyond_its_trip_is_an_error_that_names_both() {
    let (_, errors) = read(&[("watch.temperature.warn_degc", Value::Double(67.0))]);
    assert_eq!(
        errors,
        ["parameter `watch.temperature.trip_degc` is 66.0; it must not be below \
          `watch.temperature.warn_degc`, which is 67"]
    );
    let (_, errors) = read(&[("watch.voltage_low.joints.elbow.trip_v", Value::Double(5.0))]);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("must not be above `watch.voltage_low.joints.elbow.warn_v`, which is 4.6"));
}

#[test]
fn an_action_that_there_is_not_is_named() {
    let (_, errors) = read(&[("watch.load.action", Value::String("stop".into()))]);
    assert!(errors[0].contains("`watch.load.action` is \"stop\""), "{errors:?}");
}

#[test]
fn who_sends_the_arm_to_rest_is_known() {
    assert_eq!(read(&[]).0.needs_rest_pose(), None);
    let (config, _) = read(&[("watch.current.joints.elbow.action", Value::String("rest".into()))]);
    assert_eq!(config.needs_rest_pose(), Some("watch.current.action".to_owned()));
}
