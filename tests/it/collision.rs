//! Clearance of the shipped arms: nothing touches where nothing does, and what touches is found.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use nalgebra::{Isometry3, Vector3};
use servo_arm::collision::{Checker, CollisionModel, Damper, ObstacleShape, Options, Reason};
use servo_arm::kinematics::{Chain, RobotModel, Shape};

const SO101: &str = include_str!("../../urdf/so101.urdf");
const WX250S: &str = include_str!("../../urdf/wx250s.urdf");

const DAMPER: Damper = Damper { margin: 0.01, slow_within: 0.1, speed: 0.2 };

/// Sampling takes seconds without optimisation, so each arm is made once.
pub(crate) static ARMS: LazyLock<[Arm; 2]> = LazyLock::new(|| [Arm::new(SO101), Arm::new(WX250S)]);

pub(crate) struct Arm {
    pub(crate) robot: RobotModel,
    pub(crate) model: CollisionModel,
    pub(crate) chain: Chain,
}

impl Arm {
    fn new(urdf: &str) -> Self {
        let robot = RobotModel::from_urdf(urdf).unwrap();
        let model = CollisionModel::new(&robot, &Options { samples: 500, ..Options::default() }).unwrap();
        let chain = Chain::between(&robot, "base_link", "tool0").unwrap();
        Self { robot, model, chain }
    }

    pub(crate) fn checker(&self) -> Checker {
        Checker::new(&self.model, &self.chain).unwrap()
    }

    pub(crate) fn random(&self, chance: &mut fastrand::Rng) -> Vec<f64> {
        let ranges = self.chain.joints().iter().map(|joint| joint.limits.position.unwrap());
        ranges.map(|range| range.lower + (range.upper - range.lower) * chance.f64()).collect()
    }
}

#[test]
fn every_link_of_the_shipped_arms_but_the_tool_frames_has_a_shape() {
    for arm in ARMS.iter() {
        let shaped: Vec<&str> = arm.model.links_with_shapes().collect();
        for frame in arm.robot.frames() {
            let is_bare = ["tool0", "ee_arm_link"].contains(&frame.name.as_str());
            assert_eq!(shaped.contains(&frame.name.as_str()), !is_bare, "{}", frame.name);
        }
    }
}

/// MoveIt's own tool makes such a list by the same rules.
#[test]
fn the_srdf_for_moveit_lets_those_links_touch_that_the_checks_do() {
    let text = std::fs::read_to_string("config/moveit/so101.srdf").unwrap();
    let document = roxmltree::Document::parse(&text).unwrap();
    let pairs = document.descendants().filter(|element| element.has_tag_name("disable_collisions"));
    let listed: BTreeMap<_, _> = pairs
        .map(|pair| {
            let said = |name| pair.attribute(name).unwrap();
            ((said("link1"), said("link2")), said("reason"))
        })
        .collect();
    // As many postures as the nodes try.
    let model = CollisionModel::new(&ARMS[0].robot, &Options::default()).unwrap();
    let found: BTreeMap<_, _> = model
        .allowed_pairs()
        .map(|(first, second, reason)| {
            let reason = match reason {
                Reason::NeverTouch => "Never",
                Reason::AlwaysTouch => "Default",
                _ => "Adjacent",
            };
            ((first, second), reason)
        })
        .collect();
    assert_eq!(listed, found);
}

#[test]
fn neighbours_may_touch_and_base_and_hand_may_not() {
    for arm in ARMS.iter() {
        let pairs: BTreeMap<_, _> =
            arm.model.allowed_pairs().map(|(first, second, reason)| ((first, second), reason)).collect();
        assert_eq!(pairs.get(&("base_link", "shoulder_link")), Some(&Reason::Adjacent));
        assert_eq!(pairs.get(&("base_link", "gripper_link")), None);
        assert_eq!(pairs.get(&("upper_arm_link", "gripper_link")), None);
    }
}

#[test]
fn everyday_postures_are_clear() {
    let postures: [&[(&str, &[f64])]; 2] = [
        &[
            ("zero", &[0.0, 0.0, 0.0, 0.0, 0.0]),
            // As it rests, lift and elbow at their stops: the forearm lies on the shoulder's servo, nearly.
            ("folded", &[0.0, -1.745, 1.69, 0.9, 0.0]),
            ("reaching down", &[0.5, 0.6, 0.6, 0.4, 1.5]),
            ("stretched", &[1.9, 1.5, -1.5, 0.0, -2.7]),
        ],
        &[
            ("zero", &[0.0; 6]),
            // The maker's own `Sleep`, in the signs of our model.
            ("folded", &[0.0, -1.80, 1.55, 0.0, 0.8, 0.0]),
            ("reaching down", &[0.5, 0.4, 0.4, 1.0, 0.6, 1.5]),
            ("stretched", &[3.0, 1.5, -1.5, -3.0, 0.0, 3.0]),
        ],
    ];
    for (arm, postures) in ARMS.iter().zip(postures) {
        let checker = arm.checker();
        for (name, posture) in postures {
            let clearance = checker.clearance(posture);
            assert!(checker.is_clear(posture, 0.0), "{} {name}: {clearance:?}", arm.robot.name());
        }
    }
}

#[test]
fn a_workspace_in_front_of_the_arm_has_no_false_alarms() {
    // Elbow and wrist bent to less than a right angle or so, the hand in front of the shoulder: nothing can touch.
    let ranges: [&[(f64, f64)]; 2] = [
        &[(-1.9, 1.9), (-0.8, 1.2), (-1.2, 0.9), (-1.2, 1.2), (-2.7, 2.8)],
        &[(-3.1, 3.1), (-0.8, 1.2), (-1.2, 0.9), (-3.1, 3.1), (-1.2, 1.2), (-3.1, 3.1)],
    ];
    for (arm, ranges) in ARMS.iter().zip(ranges) {
        let checker = arm.checker();
        let mut chance = fastrand::Rng::with_seed(5);
        let mut looked_at = 0;
        for _ in 0..2000 {
            let posture: Vec<f64> =
                ranges.iter().map(|(lower, upper)| lower + (upper - lower) * chance.f64()).collect();
            if arm.chain.tip_pose(&posture).translation.z < 0.12 {
                continue;
            }
            looked_at += 1;
            let clearance = checker.clearance(&posture);
            assert!(0.0 < clearance.distance, "{} {posture:?}: {clearance:?}", arm.robot.name());
        }
        assert!(1000 < looked_at, "{looked_at}");
    }
}

#[test]
fn an_arm_that_reaches_into_its_own_base_touches() {
    let postures: [&[f64]; 2] = [&[0.0, -1.7, 1.69, 1.65, 0.0], &[0.0, -1.0, 1.6, 0.0, 2.1, 0.0]];
    for (arm, posture) in ARMS.iter().zip(postures) {
        let checker = arm.checker();
        let clearance = checker.clearance(posture);
        println!("{clearance:?}");
        assert!(clearance.distance <= 0.0, "{}: {clearance:?}", arm.robot.name());
        assert!(!checker.is_clear(posture, 0.0));
    }
}

#[test]
fn clear_and_clearance_agree_in_every_posture_and_the_same_posture_gives_the_same_bits() {
    for arm in ARMS.iter() {
        let (checker, other) = (arm.checker(), arm.checker());
        let mut chance = fastrand::Rng::with_seed(7);
        for _ in 0..500 {
            let posture = arm.random(&mut chance);
            let clearance = checker.clearance(&posture);
            let distance = clearance.distance;
            assert!(distance.is_finite());
            assert!(checker.is_clear(&posture, distance - 1e-6), "{clearance:?}");
            assert!(!checker.is_clear(&posture, distance + 1e-6), "{clearance:?}");
            assert_eq!(other.clone().clearance(&posture), clearance);
        }
    }
}

#[test]
fn the_gradient_is_what_small_steps_say() {
    for arm in ARMS.iter() {
        let checker = arm.checker();
        let mut chance = fastrand::Rng::with_seed(9);
        let mut compared = 0;
        for _ in 0..200 {
            let posture = arm.random(&mut chance);
            let mut gradient = vec![0.0; posture.len()];
            let here = checker.gradient(&posture, &mut gradient);
            assert_eq!(here, checker.clearance(&posture));
            let pair = here.nearest.unwrap().pair;
            if here.distance < 1e-3 {
                continue;
            }
            for joint in 0..posture.len() {
                let step = 1e-6;
                let at = |by: f64| {
                    let mut moved = posture.clone();
                    moved[joint] += by;
                    let clearance = checker.clearance(&moved);
                    (clearance.distance, clearance.nearest.unwrap().pair == pair)
                };
                let ((more, same_more), (less, same_less)) = (at(step), at(-step));
                let (right, left) = ((more - here.distance) / step, (here.distance - less) / step);
                // At an edge or a change of pair there is no gradient.
                if !same_more || !same_less || 1e-2 < (right - left).abs() {
                    continue;
                }
                compared += 1;
                let slope = 0.5 * (right + left);
                assert!((slope - gradient[joint]).abs() < 1e-2, "{joint}: {slope} {gradient:?} {here:?}");
            }
            let velocities: Vec<f64> = posture.iter().map(|_| chance.f64() - 0.5).collect();
            let growth: f64 = gradient.iter().zip(&velocities).map(|(slope, speed)| slope * speed).sum();
            assert!((checker.approach_speed(&posture, &velocities) + growth).abs() < 1e-9);
        }
        assert!(300 < compared, "{compared}");
    }
}

#[test]
fn no_positions_and_no_numbers_bring_a_check_down() {
    for arm in ARMS.iter() {
        let checker = arm.checker();
        let dof = arm.chain.dof();
        let bad = [vec![], vec![0.0; dof + 1], vec![f64::NAN; dof], vec![f64::INFINITY; dof]];
        for positions in bad {
            assert_eq!(checker.clearance(&positions).distance, f64::NEG_INFINITY);
            assert!(!checker.is_clear(&positions, 0.0));
            assert_eq!(checker.speed_factor(&positions, &vec![1.0; dof], &DAMPER), 0.0);
        }
        assert!(checker.clearance(&vec![1e300; dof]).distance.is_finite());
        assert!(!checker.is_clear(&vec![0.0; dof], f64::NAN));
        assert!(!checker.is_clear(&vec![0.0; dof], f64::INFINITY));
        assert_eq!(checker.speed_factor(&vec![0.0; dof], &[f64::NAN], &DAMPER), 1.0);
    }
}

#[test]
fn a_check_allocates_nothing() {
    for arm in ARMS.iter() {
        let mut model = arm.model.clone();
        model.add_obstacle("table", &ObstacleShape::HalfSpace, &Isometry3::identity()).unwrap();
        let size = Vector3::new(0.2, 0.2, 0.3);
        let crate_shape = ObstacleShape::Solid(Shape::Box { size });
        model.add_obstacle("crate", &crate_shape, &Isometry3::translation(0.2, 0.0, 0.1)).unwrap();
        let checker = Checker::new(&model, &arm.chain).unwrap();
        let mut chance = fastrand::Rng::with_seed(11);
        let postures: Vec<_> = (0..50).map(|_| arm.random(&mut chance)).collect();
        let velocities = vec![1.0; arm.chain.dof()];
        let mut gradient = vec![0.0; arm.chain.dof()];
        let counted = allocation_counter::measure(|| {
            for posture in &postures {
                checker.clearance(posture);
                checker.is_clear(posture, 0.01);
                checker.gradient(posture, &mut gradient);
                checker.speed_factor(posture, &velocities, &DAMPER);
            }
        });
        assert_eq!(counted.count_total, 0);
    }
}
