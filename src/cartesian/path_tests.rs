use std::f64::consts::{FRAC_PI_2, PI};

use nalgebra::{Point3, UnitQuaternion, Vector3};

use super::*;

fn pose(x: f64, y: f64, z: f64, turn: Vector3<f64>) -> Isometry3<f64> {
    Isometry3::new(Vector3::new(x, y, z), turn)
}

fn at(x: f64, y: f64, z: f64) -> Isometry3<f64> {
    pose(x, y, z, Vector3::zeros())
}

fn blended(base_from_tip: Isometry3<f64>, blend_radius: f64) -> Via {
    Via { base_from_tip, way: Way::Line, blend_radius }
}

/// The greatest jump of the first three derivatives between neighbours, relative to the greatest value of each.
fn roughness(section: &Section) -> [f64; 3] {
    let count = 4000;
    let step = section.length() / f64::from(count);
    let place = |index: i32| section.pose(step * f64::from(index)).translation.vector;
    let mut places: Vec<Vector3<f64>> = (0..=count).map(place).collect();
    [(); 3].map(|()| {
        places = places.windows(2).map(|pair| (pair[1] - pair[0]) / step).collect();
        let most = places.iter().map(Vector3::norm).fold(1e-9, f64::max);
        places.windows(2).map(|pair| (pair[1] - pair[0]).norm()).fold(0.0, f64::max) / most
    })
}

#[test]
fn a_line_is_straight_and_turns_evenly() {
    let end = pose(0.3, 0.1, 0.0, Vector3::z() * 1.2);
    let path = Path::through(&at(0.1, 0.1, 0.0), &[Via::line(end)]).unwrap();
    let section = &path.sections()[0];
    assert!((section.length() - 0.2).abs() < 1e-12);
    let middle = section.pose(0.1);
    assert!((middle.translation.vector - Vector3::new(0.2, 0.1, 0.0)).norm() < 1e-12);
    assert!((middle.rotation.scaled_axis() - Vector3::z() * 0.6).norm() < 1e-12);
    assert!((section.pose(9.0).inverse() * end).translation.vector.norm() < 1e-12);
}

#[test]
fn half_a_turn_is_turned_one_way_without_a_jump() {
    let end = pose(0.0, 0.0, 0.0, Vector3::x() * PI);
    let path = Path::through(&at(0.0, 0.0, 0.0), &[Via::line(end)]).unwrap();
    let section = &path.sections()[0];
    assert!((section.length() - METRES_PER_RADIAN * PI).abs() < 1e-9);
    let middle = section.pose(0.5 * section.length());
    assert!((middle.rotation.angle() - FRAC_PI_2).abs() < 1e-9);
}

#[test]
fn identical_poses_make_no_path() {
    let here = pose(0.2, 0.0, 0.1, Vector3::y());
    let path = Path::through(&here, &[Via::line(here), blended(here, 0.01), Via::line(here)]).unwrap();
    assert!(path.sections().is_empty());
    assert_eq!(path.length(), 0.0);
    assert!(Path::through(&here, &[]).unwrap().sections().is_empty());
}

#[test]
fn a_sharp_corner_is_a_stop_and_a_straight_one_is_not() {
    let corner = [Via::line(at(0.1, 0.0, 0.0)), Via::line(at(0.1, 0.1, 0.0))];
    assert_eq!(Path::through(&at(0.0, 0.0, 0.0), &corner).unwrap().sections().len(), 2);
    let straight = [Via::line(at(0.1, 0.0, 0.0)), Via::line(at(0.3, 0.0, 0.0))];
    let path = Path::through(&at(0.0, 0.0, 0.0), &straight).unwrap();
    assert_eq!(path.sections().len(), 1);
    assert_eq!(path.sections()[0].last_via(), 1);
    assert!((path.length() - 0.3).abs() < 1e-12);
}

#[test]
fn a_blended_corner_is_smooth_and_keeps_to_its_radius() {
    let vias = [blended(at(0.1, 0.0, 0.0), 0.02), Via::line(pose(0.1, 0.1, 0.0, Vector3::x() * 0.4))];
    let path = Path::through(&at(0.0, 0.0, 0.0), &vias).unwrap();
    assert_eq!(path.sections().len(), 1);
    let section = &path.sections()[0];
    assert!((section.length() - 0.2).abs() < 1e-12);
    let corner = Vector3::new(0.1, 0.0, 0.0);
    let mut nearest = f64::INFINITY;
    for index in 0..=1000 {
        let place = section.pose(section.length() * f64::from(index) / 1000.0).translation.vector;
        nearest = nearest.min((place - corner).norm());
        let on_lines = place.y.abs() < 1e-12 || (place.x - 0.1).abs() < 1e-12;
        assert!(on_lines || (place - corner).norm() <= 0.02 + 1e-12, "{place}");
        assert!(place.x <= 0.1 + 1e-12 && -1e-12 <= place.y, "beyond the corner: {place}");
    }
    assert!(0.001 < nearest && nearest < 0.01, "{nearest}");
    for (order, jump) in roughness(section).into_iter().enumerate() {
        assert!(jump < 0.05, "derivative {order} jumps by {jump}");
    }
}

#[test]
fn blends_of_short_segments_share_the_room() {
    let chord = |index: i32| {
        let (y, x) = (0.1 * f64::from(index)).sin_cos();
        blended(at(0.1 * x, 0.1 * y, 0.0), 0.05)
    };
    let vias: Vec<Via> = (1..=20).map(chord).collect();
    let path = Path::through(&at(0.1, 0.0, 0.0), &vias).unwrap();
    assert_eq!(path.sections().len(), 1);
    let end = path.sections()[0].pose(path.length()).translation.vector;
    assert!((end - vias[19].base_from_tip.translation.vector).norm() < 1e-12);
}

#[test]
fn lines_and_arcs_blend() {
    let arc = Via {
        base_from_tip: at(0.2, 0.1, 0.0),
        way: Way::Arc(Through::Centre(Point3::new(0.1, 0.1, 0.0))),
        blend_radius: 0.01,
    };
    let vias = [blended(at(0.1, 0.0, 0.0), 0.02), arc, Via::line(at(0.1, 0.1, 0.1))];
    let path = Path::through(&at(0.0, 0.0, 0.0), &vias).unwrap();
    assert_eq!(path.sections().len(), 1);
    for (order, jump) in roughness(&path.sections()[0]).into_iter().enumerate() {
        assert!(jump < 0.1, "derivative {order} jumps by {jump}");
    }
}

#[test]
fn what_is_no_pose_or_no_radius_is_refused() {
    let here = at(0.0, 0.0, 0.0);
    let nan = at(f64::NAN, 0.0, 0.0);
    assert_eq!(Path::through(&nan, &[]).unwrap_err(), PathError::NotFinite(0));
    assert_eq!(Path::through(&here, &[Via::line(nan)]).unwrap_err(), PathError::NotFinite(1));
    assert_eq!(Path::through(&here, &[Via::line(at(1e9, 0.0, 0.0))]).unwrap_err(), PathError::NotFinite(1));
    let lost = UnitQuaternion::new_unchecked(nalgebra::Quaternion::new(f64::NAN, 0.0, 0.0, 0.0));
    let lost = Isometry3::from_parts(here.translation, lost);
    assert_eq!(Path::through(&here, &[Via::line(lost)]).unwrap_err(), PathError::NotFinite(1));
    for radius in [-0.1, f64::NAN, f64::INFINITY] {
        let refused = Path::through(&here, &[blended(at(0.1, 0.0, 0.0), radius)]).unwrap_err();
        assert!(matches!(refused, PathError::Radius { pose: 1, .. }));
    }
    let arc = Via {
        base_from_tip: at(0.1, 0.0, 0.0),
        way: Way::Arc(Through::Point(Point3::new(0.05, 0.0, 0.0))),
        blend_radius: 0.0,
    };
    assert!(matches!(Path::through(&here, &[arc]).unwrap_err(), PathError::Arc { pose: 1, .. }));
}
