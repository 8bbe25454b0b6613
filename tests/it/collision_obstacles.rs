//! Obstacles, carried objects, allowed pairs, caches and meshes, as a user has them.

use std::fs;

use nalgebra::{Isometry3, Vector3};
use servo_arm::collision::{Checker, CollisionModel, Damper, MeshFolders, ObstacleShape, Options, Reason};
use servo_arm::config::collision::CollisionConfig;
use servo_arm::config::declaration::Declaration;
use servo_arm::config::parameters::{Parameters, Value};
use servo_arm::kinematics::{Chain, RobotModel, Shape};

use crate::collision::ARMS;

const DAMPER: Damper = Damper { margin: 0.01, slow_within: 0.1, speed: 0.2 };

/// Two sliders and a turntable, in which every distance is plain to see.
const SLIDERS: &str = r#"<robot name="sliders">
    <link name="rail"><collision><geometry><box size="1 0.1 0.1"/></geometry></collision></link>
    <link name="bare"/>
    <link name="left"><collision><geometry><sphere radius="0.1"/></geometry></collision></link>
    <link name="right"><collision><geometry><sphere radius="0.1"/></geometry></collision></link>
    <link name="tip"><collision><geometry><sphere radius="0.01"/></geometry></collision></link>
    <joint name="lift" type="fixed"><parent link="rail"/><child link="bare"/><origin xyz="0 0 1"/></joint>
    <joint name="a" type="prismatic"><parent link="bare"/><child link="left"/><axis xyz="1 0 0"/>
        <limit lower="-1" upper="1" velocity="1" effort="1"/></joint>
    <joint name="b" type="prismatic"><parent link="bare"/><child link="right"/><axis xyz="1 0 0"/>
        <limit lower="-1" upper="1" velocity="1" effort="1"/></joint>
    <joint name="c" type="revolute"><parent link="left"/><child link="tip"/><axis xyz="0 0 1"/>
        <origin xyz="0 0 0.5"/><limit lower="-1" upper="1" velocity="1" effort="1"/></joint>
</robot>"#;

fn sliders() -> RobotModel {
    RobotModel::from_urdf(SLIDERS).unwrap()
}

fn checker(model: &CollisionModel) -> Checker {
    Checker::of_joints(model, &["a", "b", "c"], None).unwrap()
}

fn ball(radius: f64) -> ObstacleShape {
    ObstacleShape::Solid(Shape::Sphere { radius })
}

#[test]
fn two_sliders_are_as_far_apart_as_their_positions_say_and_approach_at_their_speeds() {
    let model = CollisionModel::new(&sliders(), &Options::default()).unwrap();
    let all = Checker::of_all_joints(&model).unwrap();
    assert_eq!(all.joints().map(|joint| joint.name.as_str()).collect::<Vec<_>>(), ["a", "c", "b"]);
    let checker = checker(&model);
    let clearance = checker.clearance(&[-0.25, 0.25, 0.0]);
    assert!((clearance.distance - 0.3).abs() < 1e-9, "{clearance:?}");
    let nearest = clearance.nearest.unwrap();
    assert_eq!(nearest.pair, ["left", "right"]);
    assert!((nearest.direction.x - 1.0).abs() < 1e-9, "{nearest:?}");
    assert!((nearest.points[0].x + 0.15).abs() < 1e-9 && (nearest.points[1].z - 1.0).abs() < 1e-9);
    assert!((checker.approach_speed(&[-0.25, 0.25, 0.0], &[1.0, -0.5, 0.0]) - 1.5).abs() < 1e-9);

    let damper = Damper { margin: 0.2, slow_within: 0.4, speed: 0.5 };
    let factor = |speed: f64| checker.speed_factor(&[-0.25, 0.25, 0.0], &[speed, 0.0, 0.0], &damper);
    assert!((factor(1.0) - 0.25).abs() < 1e-6, "{}", factor(1.0));
    assert_eq!((factor(0.2), factor(-1.0), factor(0.0)), (1.0, 1.0, 1.0));
    // In each other: no farther in, and out as fast as one likes.
    let inside = |speed: f64| checker.speed_factor(&[0.0, 0.1, 0.0], &[speed, 0.0, 0.0], &DAMPER);
    assert_eq!((inside(1.0), inside(-1.0)), (0.0, 1.0));
}

#[test]
fn what_no_joint_moves_may_touch_and_a_joint_that_is_not_the_arms_stays_where_it_is_put() {
    let robot = sliders();
    let model = CollisionModel::new(&robot, &Options::default()).unwrap();
    let reasons: Vec<_> = model.allowed_pairs().collect();
    assert!(reasons.contains(&("rail", "left", Reason::Adjacent)), "{reasons:?}");
    assert!(reasons.contains(&("left", "tip", Reason::Adjacent)), "{reasons:?}");
    let chain = Chain::between(&robot, "bare", "left").unwrap();
    let mut checker = Checker::new(&model, &chain).unwrap();
    checker.set_joint("b", 0.5).unwrap();
    let clearance = checker.clearance(&[0.0]);
    assert!((clearance.distance - 0.3).abs() < 1e-9, "{clearance:?}");
    // Told in the chain's base, which is a metre above the root.
    assert!(clearance.nearest.unwrap().points[0].z.abs() < 1e-9);
    assert!(checker.set_joint("d", 0.0).unwrap_err().to_string().contains("`d`; it has a, c, b"));
}

#[test]
fn a_table_under_the_base_is_touched_by_what_moves_only() {
    for arm in ARMS.iter() {
        let mut model = arm.model.clone();
        model.add_obstacle("table", &ObstacleShape::HalfSpace, &Isometry3::identity()).unwrap();
        let checker = Checker::new(&model, &arm.chain).unwrap();
        let home = vec![0.0; arm.chain.dof()];
        assert!(checker.is_clear(&home, 0.01), "{:?}", checker.clearance(&home));
        let mut down = home.clone();
        down[1] = 1.7;
        let clearance = checker.clearance(&down);
        let nearest = clearance.nearest.unwrap();
        assert!(clearance.distance < 0.0 && nearest.pair[1] == "table", "{clearance:?}");
        assert!((nearest.direction.z + 1.0).abs() < 1e-9);
        // On the way down it comes nearer, up again it does not.
        let speeds = |speed: f64| {
            let mut speeds = home.clone();
            speeds[1] = speed;
            speeds
        };
        assert_eq!(checker.speed_factor(&down, &speeds(1.0), &DAMPER), 0.0);
        assert_eq!(checker.speed_factor(&down, &speeds(-1.0), &DAMPER), 1.0);
        assert!(model.remove_obstacle("table") && !model.remove_obstacle("table"));
    }
}

#[test]
fn a_carried_object_moves_with_its_link_and_touches_obstacles() {
    let robot = sliders();
    let mut model = CollisionModel::new(&robot, &Options::default()).unwrap();
    model.attach("cup", &ball(0.05), "left", &Isometry3::translation(0.0, 0.5, 0.0), &["tip"]).unwrap();
    model.add_obstacle("wall", &ball(0.05), &Isometry3::translation(0.9, 0.5, 1.0)).unwrap();
    let checker = checker(&model);
    let clearance = checker.clearance(&[0.6, -1.0, 0.0]);
    assert!((clearance.distance - 0.2).abs() < 1e-9, "{clearance:?}");
    assert_eq!(clearance.nearest.unwrap().pair, ["cup", "wall"]);
    assert_eq!(model.obstacles().collect::<Vec<_>>(), ["cup", "wall"]);
}

#[test]
fn an_obstacle_that_cannot_be_is_refused_with_its_name() {
    let mut model = CollisionModel::new(&sliders(), &Options::default()).unwrap();
    let here = Isometry3::identity();
    let error = model.add_obstacle("left", &ball(1.0), &here).unwrap_err().to_string();
    assert!(error.contains("`left` has the name of a link"), "{error}");
    let error = model.add_obstacle("ball", &ball(-1.0), &here).unwrap_err().to_string();
    assert!(error.contains("`ball` has radius -1"), "{error}");
    let nowhere = Isometry3::translation(f64::NAN, 0.0, 0.0);
    assert!(model.add_obstacle("ball", &ball(1.0), &nowhere).unwrap_err().to_string().contains("not finite"));
    assert!(model.add_obstacle("ball", &ball(1e300), &here).unwrap_err().to_string().contains("million"));
    let error = model.attach("ball", &ball(1.0), "hand", &here, &[]).unwrap_err().to_string();
    assert!(error.contains("`ball` names link `hand`") && error.contains("rail, bare"), "{error}");
}

#[test]
fn pairs_that_are_named_or_in_an_srdf_may_touch() {
    let robot = sliders();
    let allowed = vec![["right".to_owned(), "left".to_owned()]];
    let model = CollisionModel::new(&robot, &Options { allowed, ..Options::default() }).unwrap();
    assert!(model.allowed_pairs().any(|pair| pair == ("left", "right", Reason::Configured)));
    let srdf = r#"<robot name="s"><disable_collisions link1="right" link2="left" reason="Never"/></robot>"#;
    let options = Options { srdf: Some(srdf.to_owned()), ..Options::default() };
    let model = CollisionModel::new(&robot, &options).unwrap();
    assert!(model.allowed_pairs().any(|pair| pair == ("left", "right", Reason::Configured)));
    let allowed = vec![["right".to_owned(), "hand".to_owned()]];
    let error = CollisionModel::new(&robot, &Options { allowed, ..Options::default() }).unwrap_err();
    assert!(error.to_string().contains("`hand`"), "{error}");
}

#[test]
fn what_sampling_found_is_kept_and_a_damaged_file_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let cache_folder = folder.path().join("new");
    let options = Options { cache_folder: Some(cache_folder.clone()), ..Options::default() };
    let pairs = |options: &Options| {
        let model = CollisionModel::new(&sliders(), options).unwrap();
        assert_eq!(model.warnings(), [] as [String; 0]);
        model.allowed_pairs().map(|(a, b, why)| (a.to_owned(), b.to_owned(), why)).collect::<Vec<_>>()
    };
    let first = pairs(&options);
    let files = || fs::read_dir(&cache_folder).unwrap().map(|file| file.unwrap().path()).collect::<Vec<_>>();
    let [file] = files().try_into().unwrap();
    let text = fs::read_to_string(&file).unwrap();
    // What the file says counts.
    fs::write(&file, text.replace("never_touch", "always_touch")).unwrap();
    assert_ne!(pairs(&options), first);
    for damaged in ["", "{", "{\"links\":[],\"judged\":[]}"] {
        fs::write(&file, damaged).unwrap();
        assert_eq!(pairs(&options), first);
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
    pairs(&Options { samples: 100, ..options.clone() });
    assert_eq!(files().len(), 2);
    let file_in_the_way = Options { cache_folder: Some(file.join("below")), ..Options::default() };
    let model = CollisionModel::new(&sliders(), &file_in_the_way).unwrap();
    assert!(model.warnings()[0].contains("cannot keep"), "{:?}", model.warnings());
}

#[test]
fn a_mesh_is_its_hull_and_one_that_is_missing_is_refused_or_left_out_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let urdf = SLIDERS.replace(
        r#"<sphere radius="0.01"/>"#,
        r#"<mesh filename="package://hand/tip.obj" scale="0.1 0.1 0.1"/>"#,
    );
    let robot = RobotModel::from_urdf(&urdf).unwrap();
    let packages = vec![folder.path().to_owned()];
    let options = Options { meshes: MeshFolders { packages, urdf: None }, ..Options::default() };
    let error = CollisionModel::new(&robot, &options).unwrap_err().to_string();
    assert!(error.starts_with("link `tip`: mesh `package://hand/tip.obj` is not there"), "{error}");
    let lenient = Options { leaves_out_missing_meshes: true, ..options.clone() };
    let model = CollisionModel::new(&robot, &lenient).unwrap();
    assert!(model.warnings()[0].ends_with("left out of collision checks"), "{:?}", model.warnings());
    assert!(!model.links_with_shapes().any(|link| link == "tip"));

    fs::create_dir(folder.path().join("hand")).unwrap();
    let text = "v 1 1 1\nv -1 -1 1\nv -1 1 -1\nv 1 -1 -1\nv 0 0 0\nf 1 2 3\nf 1 2 4\nf 1 3 4\nf 2 3 5\n";
    fs::write(folder.path().join("hand/tip.obj"), text).unwrap();
    let mut model = CollisionModel::new(&robot, &options).unwrap();
    model.add_obstacle("floor", &ObstacleShape::HalfSpace, &Isometry3::translation(0.0, 0.0, 1.0)).unwrap();
    let checker = Checker::of_joints(&model, &["c"], None).unwrap();
    assert!((checker.clearance(&[0.0]).distance - 0.4).abs() < 1e-9, "{:?}", checker.clearance(&[0.0]));
}

#[test]
fn a_dae_is_left_out_with_a_warning_that_names_link_and_file() {
    let urdf = SLIDERS.replace(r#"<sphere radius="0.01"/>"#, r#"<mesh filename="tip.dae"/>"#);
    let model = CollisionModel::new(&RobotModel::from_urdf(&urdf).unwrap(), &Options::default()).unwrap();
    assert_eq!(
        model.warnings(),
        ["link `tip`: mesh `tip.dae` is DAE; only STL and OBJ are read; it is left out of collision checks"]
    );
}

#[test]
fn shapes_without_extent_are_refused_with_the_links_name() {
    for (good, bad) in [
        (r#"size="1 0.1 0.1""#, r#"size="1 0 0.1""#),
        (r#"<sphere radius="0.01"/>"#, r#"<cylinder radius="-1" length="1"/>"#),
        (r#"<sphere radius="0.01"/>"#, r#"<mesh filename="a.stl" scale="0 1 1"/>"#),
    ] {
        let error = RobotModel::from_urdf(&SLIDERS.replace(good, bad)).unwrap_err().to_string();
        assert!(error.contains("link `") && error.contains("collision number 1"), "{error}");
    }
}

#[test]
fn a_configuration_becomes_a_model_with_table_and_obstacles() {
    let given: Parameters = [
        ("collision.table_height", Value::Double(0.5)),
        ("collision.obstacles.crate.box", Value::DoubleArray(vec![0.1, 0.1, 0.1])),
        ("collision.obstacles.crate.pose", Value::DoubleArray(vec![0.9, 0.0, 1.0, 0.0, 0.0, 0.0])),
        ("collision.obstacles.cup.sphere", Value::Double(0.05)),
        ("collision.obstacles.cup.frame", Value::String("right".into())),
        ("collision.allowed_pairs", Value::StringArray(vec!["left:right".into()])),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let mut declaration = Declaration::new(&given);
    let config = CollisionConfig::declare(&mut declaration);
    assert_eq!(declaration.finish().1, []);
    let model = CollisionModel::configured(&sliders(), &config, &MeshFolders::default()).unwrap();
    assert_eq!(model.obstacles().collect::<Vec<_>>(), ["crate", "cup", "table"]);
    let checker = checker(&model);
    let clearance = checker.clearance(&[-1.0, 0.5, 0.0]);
    // From the slider with its cup to the crate's face.
    assert!((clearance.distance - 0.25).abs() < 1e-9, "{clearance:?}");
    let size = Vector3::new(0.1, 0.1, 0.1);
    assert!(
        model
            .clone()
            .add_obstacle("crate", &ObstacleShape::Solid(Shape::Box { size }), &Isometry3::identity())
            .is_ok()
    );
}
