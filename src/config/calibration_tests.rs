use proptest::prelude::{any, prop, prop_assert_eq, proptest};

use super::*;

fn elbow() -> JointCalibration {
    JointCalibration {
        id: 3,
        model: Some(777),
        zero_ticks: 2048,
        reversed: false,
        ticks_per_turn: 4096.0,
        lower_ticks: 1024,
        upper_ticks: 3072,
        registers: BTreeMap::from([("position_offset".to_owned(), -13)]),
    }
}

fn arm(joint: JointCalibration) -> ArmCalibration {
    let joints = BTreeMap::from([("elbow_flex".to_owned(), joint)]);
    ArmCalibration { protocol: "feetech_sts".to_owned(), joints }
}

fn read(text: &str) -> Result<ArmCalibration, String> {
    ArmCalibration::of_text(text, Path::new("arm.yaml")).map_err(|error| error.to_string())
}

fn refused(change: impl FnOnce(&mut JointCalibration)) -> String {
    let mut joint = elbow();
    change(&mut joint);
    read(&arm(joint).to_text(&[])).unwrap_err()
}

#[test]
fn what_is_written_is_read_again() {
    let mut whole = arm(elbow());
    whole.joints.insert("on".to_owned(), JointCalibration { model: None, reversed: true, ..elbow() });
    whole.joints.insert("a \"joint\": 1".to_owned(), elbow());
    let text = whole.to_text(&["on".to_owned()]);
    assert_eq!(read(&text), Ok(whole));
    assert!(text.find("\"on\"").unwrap() < text.find("elbow_flex").unwrap(), "{text}");
    assert_eq!(read(&ArmCalibration::default().to_text(&[])), Ok(ArmCalibration::default()));
}

#[test]
fn the_travel_is_in_the_joints_own_direction() {
    let quarter = std::f64::consts::FRAC_PI_2;
    assert_eq!(elbow().travel(), (-quarter, quarter));
    let reversed = JointCalibration { reversed: true, zero_ticks: 1024, ..elbow() };
    assert_eq!(reversed.travel(), (-2.0 * quarter, 0.0));
}

#[test]
fn what_makes_no_sense_is_named_with_its_value() {
    assert_eq!(
        refused(|joint| joint.lower_ticks = 3072),
        "calibration arm.yaml: `lower_ticks` of joint `elbow_flex` is 3072; it must be less than its \
         `upper_ticks`, which is 3072"
    );
    assert!(refused(|joint| joint.id = 254).contains("`id` of joint `elbow_flex` is 254"));
    assert!(refused(|joint| joint.ticks_per_turn = 0.0).contains("`ticks_per_turn`"));
    assert!(refused(|joint| joint.zero_ticks = 40_000).contains("from -32767 to 32767"));
    assert!(read("servo_arm_calibration: 2\njoints: {}").unwrap_err().contains("reads 1"));
    assert!(read("joints: {}").unwrap_err().contains("servo_arm_calibration"));
    let unknown = "servo_arm_calibration: 1\njoints: {a: {id: 1, zero: 3, lower_ticks: 1, upper_ticks: 2}}";
    assert!(read(unknown).unwrap_err().contains("zero"));
    let none = ArmCalibration::read(Path::new("no/such.yaml")).unwrap_err().to_string();
    assert!(none.starts_with("cannot read calibration no/such.yaml"), "{none}");
}

proptest! {
    #[test]
    fn any_joint_name_survives(name in ".{0,20}", registers in prop::collection::btree_map(".{0,8}", any::<i64>(), 0..3)) {
        let joints = BTreeMap::from([(name.clone(), JointCalibration { registers, ..elbow() })]);
        let whole = ArmCalibration { protocol: String::new(), joints };
        prop_assert_eq!(read(&whole.to_text(&[name])), Ok(whole));
    }
}
