use parry3d_f64::math::Rotation;

use super::*;

fn pose(chance: &mut fastrand::Rng, reach: f64) -> Pose {
    let mut any = || 2.0 * chance.f64() - 1.0;
    let turn = Rotation::from_scaled_axis(Vector::new(any(), any(), any()) * 3.0);
    Pose::from_parts(Vector::new(any(), any(), any()) * reach, turn)
}

fn solids() -> Vec<Solid> {
    let corners: Vec<Vector> =
        (0..30).map(f64::from).map(|i| Vector::new(i.sin(), (2.1 * i).cos(), (0.7 * i).sin())).collect();
    vec![
        Solid::sphere(0.3),
        Solid::capsule(0.2, 1.0),
        Solid::cuboid(Vector::new(0.4, 1.0, 0.7)),
        Solid::cylinder(0.3, 0.9),
        Solid::hull(&corners, 0.05).0,
    ]
}

fn found(first: (&Solid, &Pose), second: (&Solid, &Pose), within: f64) -> Option<Nearest> {
    let placed = |(solid, root_from_solid)| Placed { solid, root_from_solid };
    nearest(placed(first), placed(second), within, &mut VoronoiSimplex::new())
}

#[test]
fn spheres_and_boxes_are_as_far_apart_as_paper_says() {
    let ball = Solid::sphere(0.5);
    let cube = Solid::cuboid(Vector::splat(2.0));
    let (here, there) = (Pose::identity(), Pose::translation(3.0, 0.2, -0.3));
    let apart = found((&cube, &here), (&ball, &there), f64::MAX).unwrap();
    assert!((apart.distance - 1.5).abs() < 1e-9, "{apart:?}");
    assert!((apart.on_first - Vector::new(1.0, 0.2, -0.3)).length() < 1e-7, "{apart:?}");
    assert!((apart.on_second - Vector::new(2.5, 0.2, -0.3)).length() < 1e-7, "{apart:?}");

    // The skin reaches in, the point does not; then both do.
    for (x, distance) in [(1.2, -0.3), (0.9, -0.6)] {
        let inside = Pose::translation(x, 0.0, 0.0);
        let touching = found((&cube, &here), (&ball, &inside), f64::MAX).unwrap();
        assert!((touching.distance - distance).abs() < 1e-9, "{touching:?}");
        assert!((touching.direction - Vector::X).length() < 1e-9, "{touching:?}");
    }
}

#[test]
fn a_half_space_is_measured_along_its_normal() {
    let table = Solid::half_space();
    let table_pose = Pose::translation(7.0, 5.0, 0.1);
    let stick = Solid::capsule(0.1, 1.0);
    for (height, distance) in [(1.0, 0.3), (0.6, -0.1)] {
        let upright = Pose::translation(0.0, 0.0, height);
        let above = found((&stick, &upright), (&table, &table_pose), f64::MAX).unwrap();
        assert!((above.distance - distance).abs() < 1e-12, "{above:?}");
        assert!((above.direction + Vector::Z).length() < 1e-12, "{above:?}");
        let below = found((&table, &table_pose), (&stick, &upright), f64::MAX).unwrap();
        assert!((below.direction - Vector::Z).length() < 1e-12 && below.distance == above.distance);
    }
}

#[test]
fn no_bound_is_above_the_distance_and_the_points_are_so_far_apart() {
    let mut chance = fastrand::Rng::with_seed(1);
    for first in &solids() {
        for second in &solids() {
            for reach in [0.3, 1.0, 3.0] {
                let (one, two) = (pose(&mut chance, reach), pose(&mut chance, reach));
                let placed = |solid, root_from_solid| Placed { solid, root_from_solid };
                let bounds = [bound_by_balls, bound_by_boxes]
                    .map(|bound| bound(placed(first, &one), placed(second, &two)));
                let near = found((first, &one), (second, &two), f64::MAX).unwrap();
                for bound in bounds {
                    assert!(bound <= near.distance + 1e-9 || near.distance < 0.0, "{bound} {near:?}");
                }
                let along = (near.on_second - near.on_first).dot(near.direction);
                assert!((along - near.distance).abs() < 1e-6, "{along} {near:?}");
                assert!((near.direction.length() - 1.0).abs() < 1e-9, "{near:?}");
                let back = found((second, &two), (first, &one), f64::MAX).unwrap();
                // Of depths other than boxes' the least that is found counts, and that depends on the order.
                let slack = if near.distance < 0.0 { 0.2 } else { 1e-6 };
                assert!((back.distance - near.distance).abs() < slack, "{back:?} {near:?}");
                let is_within = found((first, &one), (second, &two), near.distance - 1e-3).is_some();
                assert!(!is_within, "{near:?}");
            }
        }
    }
}

#[test]
fn moved_along_the_direction_by_its_depth_a_pair_is_clear() {
    let mut chance = fastrand::Rng::with_seed(2);
    for first in &solids() {
        for second in &solids() {
            for _ in 0..10 {
                let (one, two) = (pose(&mut chance, 0.3), pose(&mut chance, 0.3));
                let near = found((first, &one), (second, &two), f64::MAX).unwrap();
                let by = near.direction * (1e-6 - near.distance).max(0.0);
                let moved = Pose::from_parts(two.translation + by, two.rotation);
                let clear = found((first, &one), (second, &moved), f64::MAX).unwrap();
                assert!(-1e-9 < clear.distance, "{near:?} {clear:?}");
            }
        }
    }
}
