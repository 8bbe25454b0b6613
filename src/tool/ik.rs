//! `servo_tool ik`: poses in, joint positions out.
//!
//! Reads questions and clocks the solver; what a goal can leave free is [`super::constraint`].

use std::io::{BufWriter, stdin, stdout};
use std::time::{Duration, Instant};

use nalgebra::{Isometry3, Matrix3, Rotation3, Translation3, UnitQuaternion};
use serde::Serialize;
use serde_json::Value as Json;

use super::arm::ArmOptions;
use super::constraint::Constraint;
use super::lines::{self, Question};
use crate::kinematics::ik::{Goal, Search, Solver, Status, Tolerance};

/// Farther from orthonormal than this a matrix is no rotation; nearer, the nearest rotation is meant.
const ORTHONORMAL: f64 = 1e-3;

/// Inverse kinematics: reads lines of {"pose": [[4x4]], "seed": [...]}, answers with {"q": [...], ...}.
///
/// `pose` is base_from_tip, in metres. `seed` has one position for each joint, base to tip, in
/// radians or metres; left out, it is the middle of all ranges. An answer has `q`, `status`,
/// `pos_err` (m), `rot_err` (rad), `time_ns` (of the solver alone) and `iterations`. The status is
/// `solved`; `approximate` where the pose cannot be reached and `q` comes as near as was found;
/// `timeout` where time was up and `q` comes as near as was found until then; or `invalid` where the
/// line makes no sense: then `q` is null, `error` says why, and the next line is read.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    arm: ArmOptions,
    /// Begin in the middle of all ranges, whatever the lines say.
    #[arg(long)]
    seed_mid: bool,
    /// How far the tip may be from the pose, in metres.
    #[arg(long, value_name = "M", default_value_t = 1e-5, value_parser = not_negative)]
    tol_pos: f64,
    /// How far its orientation may be off, in radians.
    #[arg(long, value_name = "RAD", default_value_t = 1e-5, value_parser = not_negative)]
    tol_rot: f64,
    /// When to give up, in microseconds.
    #[arg(long, value_name = "N", default_value_t = 5000)]
    time_limit_us: u64,
    /// What has to be met: `pose`; `position`; `axis:x`, `axis:-z`, `axis:0,0,1` (the position, and where this
    /// axis of the tip points); `planar` (x and y of the pose); `free:z`, `free:xy` (all but the turn about these
    /// axes of the pose); `weights:1,1,1,0.1,0.1,0` (of x, y, z and the turns about them; 0 leaves free).
    #[arg(long, value_name = "WHAT", default_value = "pose", allow_hyphen_values = true)]
    constraint: Constraint,
    /// How much being near the seed counts against being found soon: 0 not at all, 1 much.
    #[arg(long, value_name = "W", default_value_t = 0.0, value_parser = not_negative)]
    stay_near: f64,
}

#[derive(Serialize)]
struct Answer {
    q: Option<Vec<f64>>,
    status: &'static str,
    pos_err: Option<f64>,
    rot_err: Option<f64>,
    time_ns: u64,
    iterations: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Answers standard input on standard output.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let arm = options.arm.load()?;
    let solver = Solver::new(&arm.chain)?;
    let middle = arm.middle();
    let solve = |asked: &Question| {
        let base_from_tip = pose(asked.get("pose").unwrap_or(&Json::Null))?;
        let seed = match asked.get("seed") {
            Some(seed) if !options.seed_mid && !seed.is_null() => arm.positions("seed", seed)?,
            _ => middle.clone(),
        };
        answer(&solver, base_from_tip, &seed, options)
    };
    lines::answer(stdin().lock(), BufWriter::new(stdout().lock()), solve, Answer::invalid)?;
    Ok(())
}

fn answer(
    solver: &Solver,
    base_from_tip: Isometry3<f64>,
    seed: &[f64],
    options: &Options,
) -> Result<Answer, String> {
    let tolerance = Tolerance { position: options.tol_pos, rotation: options.tol_rot };
    let goal = Goal { base_from_tip, aim: options.constraint.aim, tolerance };
    let limit = Duration::from_micros(options.time_limit_us);
    let begun = Instant::now();
    let is_time_up = || limit <= begun.elapsed();
    let search = Search { stay_near: options.stay_near, is_time_up: &is_time_up, ..Search::from(seed) };
    let found = solver.solve(&goal, &search);
    let took = begun.elapsed();
    let status = match found.status {
        Status::Solved => "solved",
        Status::Approximate | Status::Refused => "approximate",
        Status::TimedOut => "timeout",
        Status::Invalid(flaw) => return Err(flaw.to_string()),
    };
    Ok(Answer {
        q: Some(found.positions.to_vec()),
        status,
        pos_err: Some(found.position_error),
        rot_err: Some(found.rotation_error),
        time_ns: u64::try_from(took.as_nanos()).unwrap_or(u64::MAX),
        iterations: found.iterations,
        error: None,
    })
}

impl Answer {
    fn invalid(error: String) -> Self {
        let (q, pos_err, rot_err) = (None, None, None);
        Self { q, status: "invalid", pos_err, rot_err, time_ns: 0, iterations: 0, error: Some(error) }
    }
}

/// A transform from four rows of four numbers.
fn pose(value: &Json) -> Result<Isometry3<f64>, String> {
    const WANTED: &str = "a list of 4 rows of 4 numbers, base_from_tip";
    let rows = value.as_array().filter(|rows| rows.len() == 4);
    let rows = rows.ok_or_else(|| match value {
        Json::Null => format!("it has no `pose`; that must be {WANTED}"),
        Json::Array(rows) => format!("`pose` has {} rows; it must be {WANTED}", rows.len()),
        other => format!("`pose` is {}; it must be {WANTED}", lines::kind(other)),
    })?;
    let mut numbers = [[0.0; 4]; 4];
    for (index, (row, into)) in rows.iter().zip(&mut numbers).enumerate() {
        let row = row.as_array().filter(|row| row.len() == 4);
        let row =
            row.ok_or_else(|| format!("row {index} of `pose` is not 4 numbers; `pose` must be {WANTED}"))?;
        for (value, into) in row.iter().zip(into) {
            let number = value.as_f64().filter(|number| number.is_finite());
            *into = number
                .ok_or_else(|| format!("row {index} of `pose` has {value}; it must have finite numbers"))?;
        }
    }
    if (0..4).any(|column| ORTHONORMAL < (numbers[3][column] - [0.0, 0.0, 0.0, 1.0][column]).abs()) {
        return Err(format!("the last row of `pose` is {:?}; it must be [0, 0, 0, 1]", numbers[3]));
    }
    let rotation = rotation(Matrix3::from_fn(|row, column| numbers[row][column]))?;
    Ok(Isometry3::from_parts(Translation3::new(numbers[0][3], numbers[1][3], numbers[2][3]), rotation))
}

/// The rotation nearest to a matrix that is almost one.
fn rotation(matrix: Matrix3<f64>) -> Result<UnitQuaternion<f64>, String> {
    let off = (matrix.transpose() * matrix - Matrix3::identity()).abs().max();
    // Stated positively, so that NaN fails too.
    let is_rotation = off <= ORTHONORMAL && 0.0 < matrix.determinant();
    if !is_rotation {
        return Err(format!(
            "the upper left 3x3 of `pose` is no rotation: its columns must be orthogonal, of length 1 and \
             right-handed; they are {off:.1e} off, with determinant {:.3}",
            matrix.determinant()
        ));
    }
    let mut nearest = matrix;
    for _ in 0..3 {
        let inverse = nearest.try_inverse().unwrap_or_else(|| nearest.transpose());
        nearest = 0.5 * (nearest + inverse.transpose());
    }
    Ok(UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(nearest)))
}

fn not_negative(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().map_err(|error| format!("it must be a number ({error})"))?;
    let is_right = 0.0 <= number && number.is_finite();
    if is_right { Ok(number) } else { Err("it must be finite and not negative".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pose_with_rounded_numbers_is_the_nearest_rotation() {
        let rounded =
            json!([[0.866, -0.5, 0.0, 1.0], [0.5, 0.866, 0.0, 2.0], [0.0, 0.0, 1.0, 3.0], [0, 0, 0, 1]]);
        let pose = pose(&rounded).unwrap();
        assert!((pose.rotation.angle() - 30_f64.to_radians()).abs() < 1e-4);
        assert!((pose.rotation.norm() - 1.0).abs() < 1e-12);
        assert_eq!(pose.translation.vector.as_slice(), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn what_is_no_pose_is_refused_with_what_would_be_right() {
        let i = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]];
        let with = |row: usize, column: usize, value: Json| {
            let mut pose = json!(i);
            pose[row][column] = value;
            pose
        };
        for (value, says) in [
            (Json::Null, "it has no `pose`; that must be a list of 4 rows of 4 numbers"),
            (json!("home"), "`pose` is a text"),
            (json!([1, 2, 3]), "`pose` has 3 rows"),
            (json!([1, 2, 3, 4]), "row 0 of `pose` is not 4 numbers"),
            (with(1, 3, json!(null)), "row 1 of `pose` has null; it must have finite numbers"),
            (with(3, 3, json!(2.0)), "the last row of `pose` is [0.0, 0.0, 0.0, 2.0]"),
            (with(2, 2, json!(-1.0)), "no rotation"),
            (with(0, 1, json!(1e200)), "no rotation"),
        ] {
            let refusal = pose(&value).unwrap_err();
            assert!(refusal.contains(says), "{refusal}");
        }
    }
}
