use super::*;

fn shipped(config: &str, urdf: &str) -> Options {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    Options {
        config: root.join("config").join(config),
        urdf: Some(root.join("urdf").join(urdf)),
        model: "servo_arm".to_owned(),
        out: None,
        world: None,
    }
}

/// The texts of all such elements.
fn texts<'a>(document: &'a Document<'_>, tag: &str) -> Vec<&'a str> {
    document.descendants().filter(|node| node.has_tag_name(tag)).filter_map(|node| node.text()).collect()
}

#[test]
fn every_joint_is_published_and_has_an_actuator_of_its_own() {
    for (config, urdf_file, joints) in [("so101.yaml", "so101.urdf", 6), ("wx250s.yaml", "wx250s.urdf", 8)] {
        let text = urdf(&shipped(config, urdf_file)).unwrap();
        let document = Document::parse(&text).unwrap();
        let numbers: Vec<String> = (0..joints).map(|number| number.to_string()).collect();
        assert_eq!(texts(&document, "actuator_number"), numbers, "{config}");
        let names = texts(&document, "joint_name");
        assert_eq!(names[..joints], names[joints..], "{config}");
        assert!(texts(&document, "use_velocity_commands").iter().all(|text| *text == "true"));
        let speeds = texts(&document, "cmd_max");
        assert!(speeds.iter().all(|speed| 0.0 < speed.parse::<f64>().unwrap()), "{speeds:?}");
        let model = RobotModel::from_urdf(&text).unwrap();
        assert_eq!(model.root(), "world");
        let is_known = |name: &&str| model.joint(name).is_some();
        assert!(names.iter().all(is_known), "{names:?}");
    }
}

#[test]
fn a_joint_comes_nowhere_where_gazebo_would_hold_it() {
    for (config, urdf_file) in [("so101.yaml", "so101.urdf"), ("wx250s.yaml", "wx250s.urdf")] {
        let options = shipped(config, urdf_file);
        let before =
            RobotModel::from_urdf(&std::fs::read_to_string(options.urdf.as_ref().unwrap()).unwrap()).unwrap();
        let text = urdf(&options).unwrap();
        let after = RobotModel::from_urdf(&text).unwrap();
        let document = Document::parse(&text).unwrap();
        for name in texts(&document, "joint_name") {
            let travel = |model: &RobotModel| model.joint(name).unwrap().limits.position;
            let (Some(arm), Some(gazebo)) = (travel(&before), travel(&after)) else { panic!("{name}") };
            assert!(
                gazebo.lower < arm.lower.min(0.0) && arm.upper.max(0.0) < gazebo.upper,
                "{name}: {gazebo:?}"
            );
        }
        let is_of_arm = |node: &Node<'_, '_>| node.has_tag_name("dynamics");
        assert!(document.descendants().filter(is_of_arm).all(|node| node.attribute("damping") == Some("0")));
    }
}

#[test]
fn the_topics_are_those_of_the_bridge_file() {
    let text = urdf(&shipped("so101.yaml", "so101.urdf")).unwrap();
    let document = Document::parse(&text).unwrap();
    let bridge =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/gazebo_bridge.yaml"));
    let bridge: Vec<std::collections::BTreeMap<String, serde_norway::Value>> =
        serde_norway::from_str(&bridge.unwrap()).unwrap();
    let bridged: Vec<&str> = bridge.iter().map(|entry| entry["gz_topic_name"].as_str().unwrap()).collect();
    for topic in texts(&document, "topic") {
        assert!(bridged.contains(&topic), "{topic} is not in {bridged:?}");
    }
}

#[test]
fn meshes_have_paths_that_are_the_same_everywhere() {
    let folder = Path::new("/robots");
    assert_eq!(mesh_path("meshes/a.stl", Some(folder)).unwrap(), "file:///robots/meshes/a.stl");
    assert_eq!(mesh_path("/b.stl", Some(folder)).unwrap(), "file:///b.stl");
    assert_eq!(mesh_path("model://arm/c.stl", Some(folder)).unwrap(), "model://arm/c.stl");
    let missing = mesh_path("package://no_such_package/d.stl", None).unwrap_err().to_string();
    assert!(missing.contains("no_such_package"), "{missing}");
}

#[test]
fn the_arm_is_in_the_world_that_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { out: Some(folder.path().to_owned()), ..shipped("so101.yaml", "so101.urdf") };
    run(&options).unwrap();
    let world = std::fs::read_to_string(folder.path().join("servo_arm.sdf")).unwrap();
    let document = Document::parse(&world).unwrap();
    let uri = texts(&document, "uri");
    let include = document.descendants().find(|node| node.has_tag_name("include")).unwrap();
    assert!(include.parent().unwrap().has_tag_name("world"));
    assert_eq!(std::fs::read_to_string(uri[0]).unwrap(), urdf(&options).unwrap());

    let other = folder.path().join("other.sdf");
    std::fs::write(&other, "<sdf><model name='a'/></sdf>").unwrap();
    let error = run(&Options { world: Some(other), ..options }).unwrap_err();
    assert!(format!("{error:#}").ends_with("other.sdf: it has no <world>"), "{error:#}");
}

#[test]
fn a_model_is_named_with_a_word() {
    assert!(model_name("left_arm2").is_ok());
    for name in ["", "a b", "../a", "<a>"] {
        assert!(model_name(name).is_err(), "{name}");
    }
}
