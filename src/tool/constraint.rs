//! What of a pose has to be met, as the command line says it.

use std::str::FromStr;

use nalgebra::{Unit, Vector3};

use crate::kinematics::ik::{Aim, RotationAim};

/// The words of `--constraint`.
const KNOWN: &str =
    "pose, position, planar, axis:x (or -x, y, …, or 0,0,1), free:z (or xy, …), weights:1,1,1,1,1,0";

/// An aim with a way to write it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constraint {
    /// What it means to the solver.
    pub aim: Aim,
}

impl FromStr for Constraint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let aim = match text.split_once(':') {
            None if text == "pose" => Aim::POSE,
            None if text == "position" => Aim::POSITION,
            None if text == "planar" => Aim::planar(),
            Some(("axis", axis)) => Aim::pointing(direction(axis)?),
            Some(("free", axes)) => free(axes)?,
            Some(("weights", weights)) => weighted(weights)?,
            _ => return Err(format!("there are {KNOWN}")),
        };
        Ok(Self { aim })
    }
}

/// A direction by its letter, with a sign if need be, or by three numbers.
pub fn direction(text: &str) -> Result<Unit<Vector3<f64>>, String> {
    let (sign, letter) = text.strip_prefix('-').map_or((1.0, text), |letter| (-1.0, letter));
    let vector = match letter {
        "x" => Vector3::x() * sign,
        "y" => Vector3::y() * sign,
        "z" => Vector3::z() * sign,
        _ => Vector3::from(numbers(text)?),
    };
    let wrong = || format!("an axis is x, -x, y, -y, z, -z or three numbers, not all zero, and not `{text}`");
    Unit::try_new(vector, 1e-9).filter(|axis| axis.iter().all(|part| part.is_finite())).ok_or_else(wrong)
}

fn free(axes: &str) -> Result<Aim, String> {
    let mut weights = [1.0; 3];
    for axis in axes.chars() {
        let index = "xyz".find(axis).ok_or_else(|| format!("axes are x, y and z, and not `{axis}`"))?;
        weights[index] = 0.0;
    }
    match weights.iter().sum::<f64>() {
        3.0 => Err("say which turns are free, for instance free:z".to_owned()),
        0.0 => Ok(Aim::POSITION),
        _ => Ok(Aim { rotation: RotationAim::About(weights), ..Aim::POSE }),
    }
}

fn weighted(text: &str) -> Result<Aim, String> {
    let weights: [f64; 6] = numbers(text)?;
    if weights.iter().any(|&weight| weight < 0.0) {
        return Err(format!("weights must not be negative, and these are {text}"));
    }
    let [x, y, z, about_x, about_y, about_z] = weights;
    Ok(Aim { position: [x, y, z], rotation: RotationAim::About([about_x, about_y, about_z]) })
}

fn numbers<const N: usize>(text: &str) -> Result<[f64; N], String> {
    let numbers: Vec<f64> = text.split(',').filter_map(|part| part.trim().parse().ok()).collect();
    let is_complete = text.split(',').count() == N && numbers.iter().all(|number| number.is_finite());
    let wrong = || format!("`{text}` is not {N} finite numbers with commas between them");
    numbers.try_into().ok().filter(|_| is_complete).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_means_its_aim() {
        let aim = |text: &str| text.parse::<Constraint>().unwrap().aim;
        assert_eq!(aim("pose"), Aim::POSE);
        assert_eq!(aim("position"), Aim::POSITION);
        assert_eq!(aim("free:xyz"), Aim::POSITION);
        assert_eq!(aim("planar"), Aim::planar());
        assert_eq!(aim("axis:-y"), Aim::pointing(-Vector3::y_axis()));
        assert_eq!(aim("axis:0,0,2"), Aim::pointing(Vector3::z_axis()));
        assert_eq!(aim("free:z").rotation, RotationAim::About([1.0, 1.0, 0.0]));
        let weights = Aim { position: [1.0, 2.0, 0.0], rotation: RotationAim::About([0.0, 0.5, 1.0]) };
        assert_eq!(aim("weights:1,2,0,0,0.5,1"), weights);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "poses",
            "axis:",
            "axis:w",
            "axis:0,0,0",
            "axis:1,2",
            "axis:NaN,0,1",
            "axis:1e300,1e300,inf",
            "free:",
            "free:q",
            "weights:1,1,1",
            "weights:1,1,1,1,1,-1",
            "weights:1,1,1,1,1,x",
            "axis:1,x,2,3",
        ] {
            assert!(text.parse::<Constraint>().is_err(), "{text}");
        }
    }
}
