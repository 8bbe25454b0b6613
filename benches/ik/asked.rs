//! What was asked and answered, for others to be asked the same.

use nalgebra::Isometry3;
use serde_json::{Value as Json, json};
use servo_arm::kinematics::ik::{Aim, Answer, RotationAim, Status};

/// The questions of one kind, with the answers and what they took.
#[derive(Default)]
pub(crate) struct Asked {
    targets: Vec<Vec<f64>>,
    seeds: Vec<Vec<f64>>,
    answers: Vec<Option<Vec<f64>>>,
    nanos: Vec<u64>,
}

impl Asked {
    pub(crate) fn add(&mut self, base_from_tip: &Isometry3<f64>, seed: &[f64], answer: &Answer, nanos: u64) {
        // By rows.
        self.targets.push(base_from_tip.to_homogeneous().transpose().as_slice().to_vec());
        self.seeds.push(seed.to_vec());
        self.answers.push((answer.status == Status::Solved).then(|| answer.positions.to_vec()));
        self.nanos.push(nanos);
    }

    pub(crate) fn json(self, aim: &Aim) -> Json {
        let aim = match aim.rotation {
            RotationAim::About(_) => "pose",
            RotationAim::Axis(_) => "axis:z",
            RotationAim::Free => "position",
        };
        let Self { targets, seeds, answers, nanos } = self;
        json!({ "aim": aim, "targets": targets, "seeds": seeds, "answers": answers, "nanos": nanos })
    }
}

/// With the name of its kind.
pub(crate) fn named(mut asked: Json, kind: &str) -> Json {
    asked["name"] = kind.into();
    asked
}
