//! Keeps what sampling found in a file, so that the same robot is not sampled again.
//!
//! A file that is damaged, or of another robot, counts as none. One that cannot be written costs time only.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::allowed::Reason;
use super::scene::Part;
use super::skeleton::Skeleton;

type Judged = Vec<((usize, usize), Reason)>;

/// Counts up when the same robot would be judged otherwise.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Kept {
    /// What was judged, once more: two robots may have one hash.
    links: Vec<String>,
    judged: Judged,
}

/// What the folder has for this robot, or what `compute` says, which the folder then has.
pub(super) fn or_compute(
    folder: Option<&Path>,
    skeleton: &Skeleton,
    parts: &[Part],
    open: &[(usize, usize)],
    samples: usize,
    compute: impl FnOnce() -> Judged,
) -> (Judged, Vec<String>) {
    if open.is_empty() || samples == 0 {
        return (Vec::new(), Vec::new());
    }
    let Some(folder) = folder else {
        return (compute(), Vec::new());
    };
    let file = folder.join(format!("allowed-pairs-{:016x}.json", hash(skeleton, parts, open, samples)));
    if let Some(judged) = read(&file, skeleton, open) {
        return (judged, Vec::new());
    }
    let judged = compute();
    let kept = Kept { links: skeleton.names.clone(), judged };
    let warning = write(&file, &kept).err().map(|cause| {
        format!(
            "cannot keep in {} which links may touch ({cause}); they are sampled at each start",
            file.display()
        )
    });
    (kept.judged, warning.into_iter().collect())
}

fn read(file: &Path, skeleton: &Skeleton, open: &[(usize, usize)]) -> Option<Judged> {
    let kept: Kept = serde_json::from_str(&fs::read_to_string(file).ok()?).ok()?;
    let is_ours = kept.links == skeleton.names && kept.judged.iter().all(|(pair, _)| open.contains(pair));
    is_ours.then_some(kept.judged)
}

/// Another process may read the file at the same time, so it comes into being whole.
fn write(file: &Path, kept: &Kept) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut draft = PathBuf::from(file);
    draft.set_extension(format!("{}.tmp", std::process::id()));
    fs::write(&draft, serde_json::to_string(kept)?)?;
    fs::rename(&draft, file)
}

/// Of all that decides what touches, in numbers that are written exactly.
fn hash(skeleton: &Skeleton, parts: &[Part], open: &[(usize, usize)], samples: usize) -> u64 {
    let mut hasher = DefaultHasher::new();
    (VERSION, samples, open).hash(&mut hasher);
    format!("{skeleton:?} {parts:?}").hash(&mut hasher);
    hasher.finish()
}
