//! How near a singularity is: told of any arm in the same numbers, and with the right derivatives.

use std::f64::consts::PI;

use nalgebra::{Vector3, Vector6};
use servo_arm::kinematics::{Chain, Conditioning, Expressed, JointKind, RobotModel, Rows};

const SO101: &str = include_str!("../../urdf/so101.urdf");
const WX250S: &str = include_str!("../../urdf/wx250s.urdf");
const CROOKED: &str = include_str!("data/crooked.urdf");
const PANDA: &str = include_str!("data/arms/panda.urdf");
const UR5: &str = include_str!("data/arms/ur5.urdf");
const PR2: &str = include_str!("data/arms/pr2.urdf");

const CHAINS: [(&str, &str, &str); 6] = [
    (SO101, "base_link", "tool0"),
    (WX250S, "tool0", "base_link"),
    (CROOKED, "camera", "probe"),
    (PANDA, "panda_link0", "panda_hand_tcp"),
    (UR5, "world", "tool0"),
    (PR2, "base_footprint", "r_gripper_tool_frame"),
];

fn all_rows() -> [Rows; 5] {
    [
        Rows::POSE,
        Rows::POSITION,
        Rows::pointing(&Vector3::z_axis()),
        Rows::along(Expressed::Base, [true, true, false], [false, false, true]),
        Rows::along(Expressed::Tip, [true, false, true], [true, true, false]),
    ]
}

#[test]
fn gradients_are_the_differences() {
    let mut dice = fastrand::Rng::with_seed(8);
    for (index, (urdf, base, tip)) in CHAINS.into_iter().enumerate() {
        for rows in [Rows::POSE, all_rows()[index % 5], all_rows()[(index + 2) % 5]] {
            let conditioning = conditioning(urdf, base, tip, rows);
            for _ in 0..5 {
                check_gradients(&conditioning, &anywhere(&conditioning, &mut dice));
            }
        }
    }
}

#[test]
fn the_lost_direction_is_the_one_in_which_joints_move_the_tip_least() {
    let mut dice = fastrand::Rng::with_seed(9);
    for (urdf, base, tip) in CHAINS {
        let conditioning = conditioning(urdf, base, tip, Rows::POSE);
        let (chain, unit) = (conditioning.chain(), conditioning.metres_per_radian());
        let weights = Vector6::new(1.0, 1.0, 1.0, unit * unit, unit * unit, unit * unit);
        let mut columns = vec![Vector6::zeros(); chain.dof()];
        for _ in 0..20 {
            let positions = anywhere(&conditioning, &mut dice);
            let condition = conditioning.at(&positions);
            chain.jacobian(&positions, Expressed::Base, &mut columns);
            let moved = columns.iter().zip(chain.joints()).map(|(column, joint)| {
                let scale = if joint.kind == JointKind::Prismatic { 1.0 } else { 1.0 / unit };
                (column.component_mul(&weights).dot(&condition.lost) * scale).powi(2)
            });
            let moved = moved.sum::<f64>().sqrt();
            let share = conditioning.share_lost(&condition, &(condition.lost * -3.0));
            assert!((moved - condition.smallest).abs() < 1e-12, "{tip}: {moved} {}", condition.smallest);
            assert!((share - 1.0).abs() < 1e-12, "{share}");
        }
    }
}

#[test]
fn a_stretched_elbow_and_a_straight_wrist_are_singular() {
    let ur5 = conditioning(UR5, "world", "tool0", Rows::POSE);
    let bent = [0.3, -1.2, 1.4, -0.7, -1.1, 0.2];
    assert!(0.5 < ur5.at(&bent).dexterity, "{:?}", ur5.at(&bent));
    let wrist_straight = [0.3, -1.2, 1.4, -0.7, 0.0, 0.2];
    let elbow_stretched = [0.3, -1.2, 0.0, -0.7, -1.1, 0.2];
    for positions in [wrist_straight, elbow_stretched] {
        let condition = ur5.at(&positions);
        assert!(condition.dexterity < 1e-6 && condition.manipulability < 1e-6, "{condition:?}");
        assert!(1e6 < condition.number());
    }
}

#[test]
fn five_joints_are_judged_by_the_five_directions_that_they_have() {
    let so101 = conditioning(SO101, "base_link", "tool0", Rows::POSE);
    assert_eq!(so101.rank(), 5);
    assert!(0.3 < so101.at(&[0.2, -0.5, 0.8, 0.6, 0.1]).dexterity);

    let pointing = conditioning(SO101, "base_link", "tool0", Rows::pointing(&Vector3::z_axis()));
    assert_eq!(pointing.rank(), 5);
    let position = conditioning(SO101, "base_link", "tool0", Rows::POSITION);
    assert_eq!(position.rank(), 3);
}

#[test]
fn an_arm_of_another_size_has_the_same_condition() {
    let small = conditioning(WX250S, "base_link", "tool0", Rows::POSE);
    let big = conditioning(&scaled(WX250S, 7.0), "base_link", "tool0", Rows::POSE);
    assert!((big.metres_per_radian() / small.metres_per_radian() - 7.0).abs() < 1e-9);
    let positions = [0.3, -0.4, 0.5, 0.6, -0.7, 0.8];
    let (small, big) = (small.at(&positions), big.at(&positions));
    assert!((small.smallest - big.smallest).abs() < 1e-12 && (small.dexterity - big.dexterity).abs() < 1e-9);
}

#[test]
fn half_of_all_places_have_a_dexterity_above_one() {
    for (urdf, base, tip) in CHAINS {
        let conditioning = conditioning(urdf, base, tip, Rows::POSE);
        let mut dice = fastrand::Rng::with_seed(4);
        let above = (0..400).filter(|_| {
            let within = conditioning.chain().joints().iter().map(|joint| {
                let (lower, upper) =
                    joint.limits.position.map_or((-PI, PI), |range| (range.lower, range.upper));
                lower + (upper - lower) * dice.f64()
            });
            1.0 < conditioning.at(&within.collect::<Vec<_>>()).dexterity
        });
        let above = above.count();
        assert!((150..250).contains(&above), "{tip}: {above} of 400");
    }
}

#[test]
fn who_moves_toward_the_singularity_gets_nearer() {
    let ur5 = conditioning(UR5, "world", "tool0", Rows::POSE);
    for elbow in [0.3, -0.3] {
        let here = [0.3, -1.2, elbow, -0.7, -1.1, 0.2];
        let toward = ur5.toward_singularity(&here);
        let step = |sign: f64| {
            let mut columns = [Vector6::zeros(); 6];
            ur5.chain().jacobian(&here, Expressed::Base, &mut columns);
            let jacobian = nalgebra::Matrix6::from_columns(&columns);
            let motion = jacobian.lu().solve(&(toward * sign * 1e-4)).unwrap();
            let there: Vec<f64> = here.iter().zip(motion.iter()).map(|(at, by)| at + by).collect();
            ur5.at(&there).smallest
        };
        assert!(step(1.0) < ur5.at(&here).smallest && ur5.at(&here).smallest < step(-1.0));
    }
}

#[test]
fn nonsense_is_singular_and_never_nan() {
    let ur5 = conditioning(UR5, "world", "tool0", Rows::POSE);
    for bad in [f64::NAN, f64::INFINITY, 1e300] {
        let positions = [0.1, bad, 0.2, 0.3, 0.4, 0.5];
        let condition = ur5.at(&positions);
        assert!(
            !condition.manipulability.is_nan()
                && !condition.dexterity.is_nan()
                && !condition.number().is_nan()
        );
        let mut gradient = [1.0; 6];
        ur5.manipulability_gradient(&positions, &mut gradient);
        assert!(gradient.iter().all(|entry| entry.is_finite()));
        assert!(ur5.toward_singularity(&positions).iter().all(|entry| entry.is_finite()));
    }
    assert!(ur5.at(&[f64::NAN; 6]).smallest == 0.0 && ur5.at(&[f64::NAN; 6]).number() == f64::INFINITY);
    let singular = ur5.at(&[0.0; 6]);
    assert!(singular.number().is_finite() || singular.number() == f64::INFINITY);
}

#[test]
fn a_condition_and_its_gradients_allocate_nothing() {
    let panda = conditioning(PANDA, "panda_link0", "panda_hand_tcp", Rows::POSE);
    let mut gradient = [0.0; 7];
    let used = allocation_counter::measure(|| {
        std::hint::black_box(panda.at(&[0.3; 7]));
        std::hint::black_box(panda.manipulability_gradient(&[0.3; 7], &mut gradient));
        std::hint::black_box(panda.toward_singularity(&[0.3; 7]));
    });
    assert_eq!(used.count_total, 0);
}

#[test]
fn too_many_joints_are_counted() {
    let joints: String = (0..9)
        .map(|n| {
            let next = n + 1;
            format!("<link name='l{next}'/><joint name='j{n}' type='continuous'><parent link='l{n}'/><child link='l{next}'/></joint>")
        })
        .collect();
    let urdf = format!("<robot name='snake'><link name='l0'/>{joints}</robot>");
    let chain = Chain::between(&RobotModel::from_urdf(&urdf).unwrap(), "l0", "l9").unwrap();
    let refused = Conditioning::new(&chain, Rows::POSE).unwrap_err().to_string();
    assert_eq!(refused, "the chain has 9 moving joints; its condition is known for at most 8");
}

fn conditioning(urdf: &str, base: &str, tip: &str, rows: Rows) -> Conditioning {
    let chain = Chain::between(&RobotModel::from_urdf(urdf).unwrap(), base, tip).unwrap();
    Conditioning::new(&chain, rows).unwrap()
}

fn anywhere(conditioning: &Conditioning, dice: &mut fastrand::Rng) -> Vec<f64> {
    (0..conditioning.chain().dof()).map(|_| 5.0 * dice.f64() - 2.5).collect()
}

fn check_gradients(conditioning: &Conditioning, positions: &[f64]) {
    const STEP: f64 = 1e-5;
    let (mut of_all, mut of_smallest) = (vec![0.0; positions.len()], vec![0.0; positions.len()]);
    let here = conditioning.at(positions);
    let manipulability = conditioning.manipulability_gradient(positions, &mut of_all);
    let smallest = conditioning.smallest_gradient(positions, &mut of_smallest);
    assert_eq!((manipulability, smallest), (here.manipulability, here.smallest));
    for joint in 0..positions.len() {
        let beside = |by: f64| {
            let mut beside = positions.to_vec();
            beside[joint] += by;
            conditioning.at(&beside)
        };
        let (before, after) = (beside(-STEP), beside(STEP));
        let difference = (after.manipulability - before.manipulability) / (2.0 * STEP);
        assert!((of_all[joint] - difference).abs() < 1e-7, "{} {difference}", of_all[joint]);
        // Where two singular values meet, the smallest has a kink.
        let slopes = [here.smallest - before.smallest, after.smallest - here.smallest].map(|by| by / STEP);
        if (slopes[1] - slopes[0]).abs() < 1e-3 {
            let difference = 0.5 * (slopes[0] + slopes[1]);
            assert!((of_smallest[joint] - difference).abs() < 1e-6, "{} {difference}", of_smallest[joint]);
        }
    }
}

/// The same robot with every `xyz` of an origin multiplied.
fn scaled(urdf: &str, factor: f64) -> String {
    let mut robot = urdf_rs::read_from_string(urdf).unwrap();
    for joint in &mut robot.joints {
        for value in joint.origin.xyz.iter_mut() {
            *value *= factor;
        }
    }
    urdf_rs::write_to_string(&robot).unwrap()
}
