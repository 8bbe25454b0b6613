//! The arm's parameter file, its servos geared down: a tick becomes small enough to show every command on the wire.
//!
//! An STS3215's tick is 1.5 mrad, and what changes within the first cycle of braking is less. Nothing else depends on
//! the gear: bytes, cycles and the joints' limits stay as they are.

use std::fs::read_to_string;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde_norway::Value as Yaml;
use tempfile::NamedTempFile;

/// Turns of a servo for one of its joint.
pub(crate) const GEAR: f64 = 8.0;

/// A copy of the parameter file that is gone when this is dropped.
pub(crate) fn geared_down(file: &Path) -> anyhow::Result<NamedTempFile> {
    let text = read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut yaml: Yaml = serde_norway::from_str(&text).with_context(|| file.display().to_string())?;
    let nodes = yaml.as_mapping_mut().into_iter().flat_map(|nodes| nodes.values_mut());
    let servos = nodes
        .filter_map(|node| node.get_mut("ros__parameters")?.get_mut("servos")?.as_mapping_mut())
        .flat_map(|servos| servos.values_mut());
    for servo in servos {
        const TICKS: &str = "ticks_per_turn";
        let ticks_per_turn = servo.get(TICKS).and_then(Yaml::as_f64).unwrap_or(4096.0);
        if let Some(servo) = servo.as_mapping_mut() {
            servo.insert(TICKS.into(), (GEAR * ticks_per_turn).into());
        }
    }
    let mut geared = NamedTempFile::with_suffix(".yaml")?;
    geared.write_all(serde_norway::to_string(&yaml)?.as_bytes())?;
    Ok(geared)
}
