//! Which links may touch: neighbours, those that always or never do, and those that somebody names.
//!
//! Knows links by their frames. What takes long to find is kept in a file, if there is a folder for it.

use std::collections::BTreeMap;

use super::cache;
use super::error::CollisionError;
use super::model::Options;
use super::sampling;
use super::scene::Part;
use super::skeleton::Skeleton;
use super::srdf::Srdf;

/// Why two links are not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No joint moves one in the other.
    Rigid,
    /// One carries the other, with nothing that has a shape between them.
    Adjacent,
    /// They touched in nearly all postures that were tried.
    AlwaysTouch,
    /// They came near in no posture that was tried.
    NeverTouch,
    /// The configuration or the SRDF says so.
    Configured,
}

/// Pairs of frames that may touch, the lower one first.
pub(super) type Allowed = BTreeMap<(usize, usize), Reason>;

/// All pairs of links that may touch, and what the user should know of how they were found.
pub(super) fn find(
    skeleton: &Skeleton,
    parts: &[Part],
    options: &Options,
) -> Result<(Allowed, Vec<String>), CollisionError> {
    let mut solid: Vec<usize> = parts.iter().map(|part| part.frame).collect();
    solid.sort_unstable();
    solid.dedup();
    let mut allowed = Allowed::new();
    for (index, &first) in solid.iter().enumerate() {
        for &second in &solid[index + 1..] {
            let reason = by_structure(skeleton, &solid, first, second);
            allowed.extend(reason.map(|reason| ((first, second), reason)));
        }
    }
    for (what, [first, second]) in named(options) {
        let pair = ordered(link(skeleton, what, first)?, link(skeleton, what, second)?);
        allowed.entry(pair).or_insert(Reason::Configured);
    }
    // An SRDF may name links that this robot does not have: it is often made for a robot with more on it.
    let srdf = options.srdf.as_deref().map(Srdf::read).transpose()?.unwrap_or_default();
    for (first, second) in srdf.allowed(&skeleton.names) {
        allowed.entry(ordered(first, second)).or_insert(Reason::Configured);
    }
    let all =
        solid.iter().enumerate().flat_map(|(i, &first)| solid[i + 1..].iter().map(move |&b| (first, b)));
    let open: Vec<_> = all.filter(|pair| !allowed.contains_key(pair)).collect();
    let (judged, warnings) =
        cache::or_compute(options.cache_folder.as_deref(), skeleton, parts, &open, options.samples, || {
            sampling::judge(skeleton, parts, &open, options.samples)
        });
    allowed.extend(judged);
    Ok((allowed, warnings))
}

fn by_structure(skeleton: &Skeleton, solid: &[usize], first: usize, second: usize) -> Option<Reason> {
    if skeleton.motions_between(first, second).next().is_none() {
        return Some(Reason::Rigid);
    }
    let fork = skeleton.fork(first, second);
    let between = skeleton.to_root(first).take_while(|&at| at != fork);
    let between = between.chain(skeleton.to_root(second).take_while(|&at| at != fork)).chain([fork]);
    let is_free = between.filter(|&at| at != first && at != second).all(|at| !solid.contains(&at));
    // Two that hang on one without a shape are no neighbours: fingers, for one.
    let carries = fork == first || fork == second;
    (is_free && carries).then_some(Reason::Adjacent)
}

fn named(options: &Options) -> impl Iterator<Item = (&'static str, [&str; 2])> {
    options.allowed.iter().map(|[first, second]| ("an allowed pair", [first.as_str(), second.as_str()]))
}

pub(super) fn link(skeleton: &Skeleton, what: &str, name: &str) -> Result<usize, CollisionError> {
    skeleton.index_of(name).ok_or_else(|| CollisionError::NoLink {
        what: what.to_owned(),
        name: name.to_owned(),
        known: skeleton.names.join(", "),
    })
}

pub(super) fn ordered(first: usize, second: usize) -> (usize, usize) {
    (first.min(second), first.max(second))
}
