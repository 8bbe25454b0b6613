//! A URDF becomes a model, or an error that says whose fault it is; never a panic.

use proptest::prelude::*;
use servo_arm::kinematics::{Chain, JointKind, ModelError, PositionRange, RobotModel};

const SO101: &str = include_str!("../../urdf/so101.urdf");
const CROOKED: &str = include_str!("data/crooked.urdf");

#[test]
fn a_model_has_the_frames_and_joints_of_its_urdf() {
    let model = RobotModel::from_urdf(CROOKED).unwrap();

    assert_eq!((model.name(), model.root()), ("crooked", "world"));
    assert_eq!((model.frames().len(), model.joints().len()), (12, 11));
    for (index, frame) in model.frames().iter().enumerate() {
        assert!(frame.parent.is_none_or(|parent| parent < index), "{} before its parent", frame.name);
        assert_eq!(frame.parent.is_none(), frame.name == "world");
        if let (Some(parent), Some(joint)) = (frame.parent, frame.joint) {
            let joint = &model.joints()[joint];
            assert_eq!((&joint.parent, &joint.child), (&model.frames()[parent].name, &frame.name));
        }
    }
    assert_eq!(model.frame("probe").unwrap().name, "probe");
    assert!(model.frame("bolt_a").is_none() && model.joint("probe").is_none());
}

#[test]
fn limits_are_as_far_as_the_urdf_states_them() {
    let model = RobotModel::from_urdf(CROOKED).unwrap();
    let slide = model.joint_limits("slide").unwrap();
    assert_eq!(slide.position, Some(PositionRange { lower: -0.1, upper: 0.25 }));
    assert_eq!((slide.velocity, slide.effort), (Some(0.3), Some(40.0)));

    let swivel = model.joint("swivel").unwrap();
    assert_eq!(swivel.kind, JointKind::Continuous);
    assert_eq!((swivel.limits.position, swivel.limits.velocity), (None, None));
    assert_eq!(model.joint_limits("bolt_a"), Some(&Default::default()));
    assert_eq!(model.joint_limits("probe"), None);
}

#[test]
fn a_follower_of_a_follower_follows_the_first() {
    let urdf = robot(
        &["a", "b", "c", "d"],
        "<joint name='lead' type='continuous'><parent link='a'/><child link='b'/></joint>
         <joint name='second' type='continuous'><parent link='b'/><child link='c'/>
           <mimic joint='lead' multiplier='2' offset='0.5'/></joint>
         <joint name='third' type='continuous'><parent link='c'/><child link='d'/>
           <mimic joint='second' multiplier='-3' offset='1'/></joint>",
    );
    let third = RobotModel::from_urdf(&urdf).unwrap().joint("third").unwrap().mimic.clone().unwrap();
    assert_eq!((third.leader.as_str(), third.multiplier, third.offset), ("lead", -6.0, -0.5));
}

#[test]
fn faults_are_told_with_the_name_of_the_culprit() {
    let limit = "<limit lower=\"-0.1\" upper=\"0.25\" velocity=\"0.3\" effort=\"40\"/>";
    let cases = [
        (
            limit,
            "",
            "joint `slide` has no <limit>; a prismatic joint needs lower, upper, velocity and effort",
        ),
        ("upper=\"0.25\"", "upper=\"-0.25\"", "joint `slide`: lower limit -0.1 is above upper limit -0.25"),
        ("upper=\"0.25\"", "upper=\"NaN\"", "joint `slide`: limit upper is NaN; it must be a finite number"),
        (
            "velocity=\"0.3\"",
            "velocity=\"-1\"",
            "joint `slide`: limit velocity is -1; it must not be negative",
        ),
        (
            "lower=\"-0.1\"",
            "lower=\"-1e308\"",
            "joint `slide`: limit lower is -1e308; its size must be below 1e40",
        ),
        (
            "0.01 0.02 0.03",
            "0.01 0.02 1e99",
            "joint `slide`: origin xyz is 1e99; its size must be below 1e40",
        ),
        ("effort=\"40\"", "effort=\"inf\"", "joint `slide`: limit effort is inf; it must be a finite number"),
        ("effort=\"40\"", "effort=\"4O\"", "joint `slide`: invalid float literal"),
        (" velocity=\"0.3\"", "", "joint `slide`: missing field `velocity`"),
        ("1 2 -2", "0 0 0", "joint `slide`: axis [0.0, 0.0, 0.0] has no direction; give it a length near 1"),
        (
            "1 2 -2",
            "1e300 0 0",
            "joint `slide`: axis [1e300, 0.0, 0.0] has no direction; give it a length near 1",
        ),
        ("0.01 0.02 0.03", "0.01 0.02 1e999", "joint `slide`: origin xyz is inf; it must be a finite number"),
        ("type=\"prismatic\"", "type=\"sliding\"", "joint `slide`: unknown variant `sliding`"),
        ("name=\"slide\"", "name=\"nod\"", "2 joints are called `nod`; names must be unique"),
        ("<link name=\"sled\"/>", "", "joint `slide` has the child `sled`, and no <link> has that name"),
        ("<link name=\"world\"/>", "", "joint `bolt_a` has the parent `world`, and no <link> has that name"),
        (
            "<link name=\"sled\"/>",
            "<link name=\"wrist\"/>",
            "2 links are called `wrist`; names must be unique",
        ),
        (
            "<child link=\"sled\"/>",
            "<child link=\"mount\"/>",
            "link `mount` is the child of two joints, `bolt_a` and `slide`; a link has at most one",
        ),
        (
            "<parent link=\"world\"/>",
            "<parent link=\"probe\"/>",
            "link `mount` carries itself, by joint `bolt_a`; the links must form a tree",
        ),
        (
            "<link name=\"sled\"/>",
            "<link name=\"sled\"/><link name=\"stray\"/>",
            "links `world` and `stray` have no parent joint; exactly one link may be the root",
        ),
        (
            "<mimic joint=\"nod\"",
            "<mimic joint=\"nobody\"",
            "joint `echo` mimics `nobody`, which is no revolute, continuous or prismatic joint here",
        ),
        (
            "<mimic joint=\"nod\"",
            "<mimic joint=\"bolt_a\"",
            "joint `echo` mimics `bolt_a`, which is no revolute, continuous or prismatic joint here",
        ),
        (
            "<mimic joint=\"nod\"",
            "<mimic joint=\"echo\"",
            "joint `echo` mimics itself, by way of `echo`; one joint must lead",
        ),
        ("offset=\"0.2\"", "offset=\"nan\"", "joint `echo`: mimic offset is NaN; it must be a finite number"),
        ("<robot name", "<sdf name", "the outermost element of a URDF is <robot>, here it is <sdf>"),
    ];
    for (right, wrong, expected) in cases {
        assert!(CROOKED.contains(right), "{right}");
        let error = RobotModel::from_urdf(&CROOKED.replacen(right, wrong, 1)).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{wrong}: `{error}` instead of `{expected}`");
    }
}

#[test]
fn malformed_text_is_told_in_the_parsers_words() {
    for text in ["", "no xml", "<robot", "<robot><link", "<robot name='r'", "<robot></robo>"] {
        let error = RobotModel::from_urdf(text).unwrap_err();
        assert!(matches!(&error, ModelError::Xml(reason) if !reason.is_empty()), "{text}: {error:?}");
    }
    let unclosed = CROOKED.replacen("<child link=\"sled\"/>", "<child link=\"sled\">", 1);
    let error = RobotModel::from_urdf(&unclosed).unwrap_err().to_string();
    assert_eq!(error, "joint `slide`: Elements not properly nested");
    assert_eq!(RobotModel::from_urdf("<robot name='r'/>").unwrap_err(), ModelError::NoLink);
}

#[test]
fn limits_that_a_joint_does_not_have_do_not_matter() {
    let upside_down = "type=\"continuous\"><limit lower=\"2\" upper=\"-2\" velocity=\"3\" effort=\"0\"/>";
    let model = RobotModel::from_urdf(&CROOKED.replacen("type=\"continuous\">", upside_down, 1)).unwrap();
    let limits = model.joint_limits("swivel").unwrap();
    assert_eq!((limits.position, limits.velocity, limits.effort), (None, Some(3.0), None));
}

#[test]
fn a_loop_beside_the_tree_is_found() {
    let urdf = robot(
        &["a", "b", "c", "d"],
        "<joint name='ab' type='fixed'><parent link='a'/><child link='b'/></joint>
         <joint name='cd' type='fixed'><parent link='c'/><child link='d'/></joint>
         <joint name='dc' type='fixed'><parent link='d'/><child link='c'/></joint>",
    );
    let expected = ModelError::Loop { link: "c".to_owned(), joint: "dc".to_owned() };
    assert_eq!(RobotModel::from_urdf(&urdf).unwrap_err(), expected);
}

#[test]
fn a_tower_of_anything_is_refused_before_it_overflows_a_stack() {
    let nested = format!("<robot>{}", "<link>".repeat(300_000));
    assert_eq!(RobotModel::from_urdf(&nested).unwrap_err(), ModelError::Nesting { limit: 64 });

    assert!(RobotModel::from_urdf(&tower(256)).is_ok());
    let refused = RobotModel::from_urdf(&tower(2000)).unwrap_err();
    assert_eq!(refused, ModelError::TooFar { link: "l257".to_owned(), limit: 256 });
}

#[test]
fn what_is_not_for_the_model_does_not_disturb_it() {
    let extra = "<!-- <joint name='x'/> --><gazebo reference='sled'><a:b xmlns:a='urn:a' a:c='1'/></gazebo>
        <transmission name='t'><joint name='nod'/></transmission><ros2_control name='c' type='system'/></robot>";
    let urdf = CROOKED.replace("</robot>", extra);
    assert_eq!(RobotModel::from_urdf(&urdf).unwrap(), RobotModel::from_urdf(CROOKED).unwrap());
}

/// Pieces that a mutation may put in, chosen to hurt.
const PIECES: &[&str] = &[
    "<",
    ">",
    "/>",
    "</",
    "\"",
    "'",
    "&",
    "&amp;",
    "&#0;",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?",
    "?>",
    "<!DOCTYPE x>",
    "NaN",
    "-inf",
    "1e999",
    "1e308",
    "",
    " ",
    "0",
    "-1",
    "nod",
    "world",
    "sled",
    "xmlns=\"u\"",
    "xmlns:p=\"u\"",
    "<p:q/>",
    "p:name=\"x\"",
    "<robot>",
    "</robot>",
    "<link/>",
    "<link name=\"sled\"/>",
    "<joint/>",
    "<limit/>",
    "<mimic joint=\"slide\"/>",
    "<a xmlns=\"\">",
    "version=\"1.1\"",
    "quat_xyzw=\"0 0 0 0\"",
    "fixed",
    "floating",
    "planar",
    "revolute",
    "\u{feff}",
    "é",
    "\0",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_mutation_of_a_urdf_panics(
        of_the_arm in any::<bool>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..40, prop::sample::select(PIECES)), 1..6),
    ) {
        let mut text: Vec<char> = if of_the_arm { SO101 } else { CROOKED }.chars().collect();
        for (at, cut, piece) in edits {
            let at = at.index(text.len() + 1);
            let end = (at + cut).min(text.len());
            text.splice(at..end, piece.chars());
        }
        check_survives(&text.into_iter().collect::<String>());
    }

    #[test]
    fn no_soup_of_markup_panics(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..60)) {
        check_survives(&pieces.concat());
        check_survives(&format!("<robot>{}</robot>", pieces.concat()));
    }

    #[test]
    fn no_swap_of_words_panics(
        swaps in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..8),
    ) {
        let mut words: Vec<&str> = CROOKED.split('"').collect();
        for (a, b) in swaps {
            let (a, b) = (a.index(words.len()), b.index(words.len()));
            words.swap(a, b);
        }
        check_survives(&words.join("\""));
    }
}

/// Either an error with words, or a model whose every chain has finite poses or says why not.
fn check_survives(text: &str) {
    match RobotModel::from_urdf(text) {
        Ok(model) => {
            for tip in model.frames() {
                if let Ok(chain) = Chain::between(&model, model.root(), &tip.name) {
                    let pose = chain.tip_pose(&vec![0.3; chain.dof()]);
                    assert!(
                        pose.to_homogeneous().iter().all(|entry| entry.is_finite()),
                        "{}: {pose}",
                        tip.name
                    );
                }
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn tower(joints: usize) -> String {
    let names: Vec<String> = (0..=joints).map(|index| format!("l{index}")).collect();
    let links: Vec<&str> = names.iter().map(String::as_str).collect();
    let joint = |pair: &[String]| {
        format!(
            "<joint name='{0}{1}' type='fixed'><parent link='{0}'/><child link='{1}'/></joint>",
            pair[0], pair[1]
        )
    };
    robot(&links, &names.windows(2).map(joint).collect::<String>())
}

fn robot(links: &[&str], joints: &str) -> String {
    let links: String = links.iter().map(|link| format!("<link name='{link}'/>")).collect();
    format!("<robot name='r'>{links}{joints}</robot>")
}
