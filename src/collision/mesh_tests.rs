use std::fmt::Write;

use super::*;

/// A ball of many corners, as OBJ or as STL.
fn ball(rings: u32) -> Vec<Vector> {
    let mut corners = Vec::new();
    for ring in 0..=rings {
        let polar = std::f64::consts::PI * f64::from(ring) / f64::from(rings);
        for step in 0..2 * rings {
            let around = std::f64::consts::PI * f64::from(step) / f64::from(rings);
            corners.push(Vector::new(polar.sin() * around.cos(), polar.sin() * around.sin(), polar.cos()));
        }
    }
    corners
}

fn obj(corners: &[Vector]) -> String {
    let mut text = String::new();
    for corner in corners {
        writeln!(text, "v {} {} {}", corner.x, corner.y, corner.z).unwrap();
    }
    for first in 1..corners.len() - 1 {
        writeln!(text, "f {} {} {}", first, first + 1, first + 2).unwrap();
    }
    text
}

const TETRAHEDRON: [[f32; 3]; 4] = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

fn stl(is_binary: bool) -> Vec<u8> {
    let faces =
        [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]].map(|face: [usize; 3]| face.map(|i| TETRAHEDRON[i]));
    if is_binary {
        let mut bytes = vec![0; 80];
        bytes.extend(4_u32.to_le_bytes());
        for face in faces {
            bytes.extend([0; 12]);
            face.as_flattened().iter().for_each(|number| bytes.extend(number.to_le_bytes()));
            bytes.extend([0; 2]);
        }
        return bytes;
    }
    let mut text = "solid part\n".to_owned();
    for face in faces {
        text.push_str("facet normal 0 0 0\nouter loop\n");
        for [x, y, z] in face {
            writeln!(text, "vertex {x} {y} {z}").unwrap();
        }
        text.push_str("endloop\nendfacet\n");
    }
    (text + "endsolid part\n").into_bytes()
}

fn loaded(name: &str, bytes: &[u8]) -> Result<(Solid, Vector), String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), bytes).unwrap();
    let folders = MeshFolders { packages: Vec::new(), urdf: Some(folder.path().to_owned()) };
    load("link `arm`", name, Vector3::new(1.0, 2.0, -1.0), &folders).map_err(|error| error.to_string())
}

#[test]
fn both_forms_of_stl_are_read_scaled_and_mirrored() {
    for is_binary in [true, false] {
        let (hull, middle) = loaded("part.STL", &stl(is_binary)).unwrap();
        assert!((middle - Vector::new(0.5, 1.0, -0.5)).length() < 1e-9, "{middle}");
        assert_eq!(hull.skin(), 0.0);
    }
}

#[test]
fn a_fine_mesh_keeps_few_corners_and_no_corner_is_outside_of_its_skin() {
    let corners = ball(20);
    let (hull, middle) = reduced(&hull_corners(corners.clone(), Vector::ONE).unwrap());
    assert!(0.0 < hull.skin() && hull.skin() < 0.1, "{}", hull.skin());
    for corner in corners {
        let outside = distance_to(&hull, corner - middle);
        assert!(outside <= 1e-9, "{outside}");
    }
    assert!(hull.radius() < 1.1, "{}", hull.radius());
    assert!(loaded("ball.obj", obj(&ball(8)).as_bytes()).is_ok());
}

#[test]
fn flat_and_single_cornered_meshes_are_solids_too() {
    for points in [
        vec![Vector::ONE],
        vec![Vector::ZERO, Vector::X],
        vec![Vector::ZERO, Vector::X, Vector::Y, Vector::ONE - Vector::Z],
    ] {
        let (hull, middle) = reduced(&hull_corners(points.clone(), Vector::ONE).unwrap());
        for point in points {
            assert!(distance_to(&hull, point - middle) <= 1e-9);
        }
    }
}

#[test]
fn what_is_wrong_with_a_mesh_is_said_with_link_and_file() {
    let dae = loaded("hand.dae", b"<COLLADA/>").unwrap_err();
    assert_eq!(dae, "link `arm`: mesh `hand.dae` is DAE; only STL and OBJ are read");
    let empty = loaded("hand.obj", b"# nothing").unwrap_err();
    assert!(empty.contains("link `arm`") && empty.contains("no triangles"), "{empty}");
    let cut = loaded("hand.stl", &stl(true)[..100]).unwrap_err();
    assert!(cut.contains("hand.stl cannot be read"), "{cut}");
    let missing = load(
        "link `arm`",
        "package://robot/hand.stl",
        Vector3::repeat(1.0),
        &MeshFolders::of_prefixes("/opt/a:/opt/b"),
    );
    let missing = missing.unwrap_err().to_string();
    assert!(missing.contains("/opt/a/share/robot/hand.stl, /opt/b/share/robot/hand.stl"), "{missing}");
}

#[test]
fn files_are_looked_for_where_the_urdf_means_them() {
    let folders =
        MeshFolders { packages: vec!["/ws/share".into(), "/src/robot".into()], urdf: Some("/urdf".into()) };
    let of = |file: &str| {
        folders.candidates(file).iter().map(|path| path.display().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        of("package://robot/m/a.stl"),
        ["/ws/share/robot/m/a.stl", "/src/robot/robot/m/a.stl", "/src/robot/m/a.stl"]
    );
    assert_eq!(of("file:///abs/a.stl"), ["/abs/a.stl"]);
    assert_eq!(of("m/a.stl"), ["/urdf/m/a.stl"]);
}
