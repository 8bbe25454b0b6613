use crate::config::parameters::{Parameters, Value};
use crate::config::{Config, Part};
use crate::kinematics::RobotModel;
use crate::servo::control_thread::{ArmSetup, MimicJoint};
use crate::servo::driver::JointRating;
use crate::servo::setup::arm_setup;

const URDF: &str = r#"<robot name="hand"><link name="palm"/><link name="left"/><link name="right"/><link name="thumb"/>
    <joint name="finger" type="prismatic"><parent link="palm"/><child link="left"/><axis xyz="0 1 0"/>
    <limit lower="0" upper="0.04" effort="5" velocity="0.1"/></joint>
    <joint name="twin" type="prismatic"><parent link="palm"/><child link="right"/><axis xyz="0 1 0"/>
    <mimic joint="finger" multiplier="-1" offset="0.01"/>
    <limit lower="-0.04" upper="0.04" effort="5" velocity="0.1"/></joint>
    <joint name="thumb" type="revolute"><parent link="palm"/><child link="thumb"/><axis xyz="0 1 0"/>
    <limit lower="0" upper="1" effort="5" velocity="1"/></joint></robot>"#;

fn list(names: &[&str]) -> Value {
    Value::StringArray(names.iter().map(|&name| name.to_owned()).collect())
}

fn set_up(changes: &[(&str, Value)], parts: &[Part]) -> Result<ArmSetup, String> {
    let mut given: Parameters = [
        ("urdf", Value::String("hand.urdf".to_owned())),
        ("joints", list(&["thumb", "finger"])),
        ("port", Value::String("/dev/hand".to_owned())),
        ("servos.thumb.id", Value::Integer(1)),
        ("servos.finger.id", Value::Integer(2)),
        ("servos.finger.metres_per_turn", Value::Double(0.08)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    given.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let config = Config::new(&given, parts).map_err(|error| error.to_string())?;
    arm_setup(&config, &RobotModel::from_urdf(URDF).unwrap()).map_err(|error| error.to_string())
}

#[test]
fn joints_that_mimic_one_of_the_arms_are_found_in_the_urdf() {
    let setup = set_up(&[], &[Part::Hardware]).unwrap();
    let rating = JointRating { max_velocity: 0.1, max_effort: 5.0 };
    let twin = MimicJoint { name: "twin".to_owned(), leader: 1, multiplier: -1.0, offset: 0.01, rating };
    assert_eq!(setup.mimics, [twin]);
}

#[test]
fn what_lies_between_servo_and_joint_must_be_what_the_urdf_says() {
    let turned = [("servos.thumb.metres_per_turn", Value::Double(0.1))];
    assert!(set_up(&turned, &[Part::Hardware]).unwrap_err().starts_with("joint `thumb` turns in the URDF"));
    let slid = [("joints", list(&["thumb", "finger", "twin"])), ("servos.twin.id", Value::Integer(3))];
    assert_eq!(
        set_up(&slid, &[Part::Hardware]).unwrap_err(),
        "joint `twin` mimics `finger` in the URDF; leave it out of `joints`, and list it in `mimic_joints` if it has \
         a servo of its own"
    );
    let own_servo = [("mimic_joints", list(&["twin"])), ("servos.twin.id", Value::Integer(3))];
    let error = set_up(&own_servo, &[Part::Hardware]).unwrap_err();
    assert!(error.starts_with("joint `twin` slides; say how far one turn"), "{error}");
    let no_mimic = [("mimic_joints", list(&["toe"])), ("servos.toe.id", Value::Integer(3))];
    let error = set_up(&no_mimic, &[Part::Hardware]).unwrap_err();
    assert_eq!(error, "`mimic_joints` names `toe`, which mimics none of `joints` in the URDF");
}

#[test]
fn a_node_without_servos_knows_nothing_between_them_and_the_joints() {
    let mut given = Parameters::new();
    given.insert("urdf".into(), Value::String("hand.urdf".to_owned()));
    given.insert("joints".into(), list(&["finger"]));
    let config = Config::new(&given, &[Part::Controller]).unwrap();
    assert!(arm_setup(&config, &RobotModel::from_urdf(URDF).unwrap()).is_ok());
}
