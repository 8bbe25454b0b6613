//! What can go wrong with an answer on its way, and how often.
//!
//! A wrapper around good replies: told the id and the bytes of one, it gives the pieces that really come,
//! and when. Randomness comes from a seed, so a run can be repeated. Faults of the servo itself (heat,
//! voltage, obstacles) are made where the servo is.

use std::time::Duration;

use crate::protocol::feetech::Alarms;

/// One way for an answer to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It never comes.
    Silent,
    /// It comes so much later.
    Late(Duration),
    /// Its end is missing.
    Truncated,
    /// A bit of it is wrong, and so its checksum.
    Corrupt,
    /// A byte that belongs to nothing comes before it.
    Noise,
    /// Two servos with this id answer at once.
    Duplicate,
    /// It says another servo's id, with a right checksum.
    WrongId,
    /// The previous answer of this servo comes once more before it.
    Stale,
    /// Its bytes come one by one, with so much time between them.
    Dribble(Duration),
    /// It complains, and its data is good.
    Alarm(Alarms),
}

impl Kind {
    /// The names by which faults are asked for.
    pub const NAMES: [&str; 10] = [
        "silent",
        "late",
        "truncated",
        "corrupt",
        "noise",
        "duplicate",
        "wrong_id",
        "stale",
        "dribble",
        "alarm",
    ];

    /// The name by which it is asked for.
    pub fn name(self) -> &'static str {
        Self::NAMES[self.number()]
    }

    fn number(self) -> usize {
        match self {
            Self::Silent => 0,
            Self::Late(_) => 1,
            Self::Truncated => 2,
            Self::Corrupt => 3,
            Self::Noise => 4,
            Self::Duplicate => 5,
            Self::WrongId => 6,
            Self::Stale => 7,
            Self::Dribble(_) => 8,
            Self::Alarm(_) => 9,
        }
    }
}

/// A fault that is in force.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: Kind,
    /// With whose answers; `None` for everybody's.
    pub id: Option<u8>,
    /// How likely each answer is to be hit, 0 to 1.
    pub probability: f64,
    /// How many answers are still to be hit; `None` for as many as come.
    pub count: Option<u32>,
}

/// Bytes, and how long after the answer's own time they come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// How much later than a good answer.
    pub after: Duration,
    /// What comes.
    pub bytes: Vec<u8>,
}

/// Where faults find their way in an answer, which families make differently.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// The first byte that can be wrong without the answer losing its shape: behind header and length.
    pub body_at: usize,
    /// The answer as if another servo had given it, with a right checksum.
    pub with_another_id: fn(&[u8]) -> Vec<u8>,
}

/// The faults in force.
#[derive(Debug)]
pub struct Faults {
    shape: Shape,
    active: Vec<Fault>,
    random: fastrand::Rng,
    /// The latest good answer of each id, kept while a fault is in force that wants it.
    previous: Vec<(u8, Vec<u8>)>,
    hits: u64,
    hits_by_kind: [u64; Kind::NAMES.len()],
}

impl Faults {
    /// None yet.
    pub fn new(seed: u64, shape: Shape) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        let hits_by_kind = [0; Kind::NAMES.len()];
        Self { shape, active: Vec::new(), random, previous: Vec::new(), hits: 0, hits_by_kind }
    }

    /// Puts a fault in force.
    pub fn inject(&mut self, fault: Fault) {
        self.active.push(fault);
    }

    /// How many answers each kind hit, by its name.
    pub fn hits_by_kind(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Kind::NAMES.into_iter().zip(self.hits_by_kind)
    }

    /// Takes faults out of force: of that name, of that servo, or all; says how many.
    pub fn clear(&mut self, name: Option<&str>, id: Option<u8>) -> usize {
        let before = self.active.len();
        self.active.retain(|fault| {
            let is_meant =
                name.is_none_or(|name| fault.kind.name() == name) && id.is_none_or(|id| fault.id == Some(id));
            !is_meant
        });
        before - self.active.len()
    }

    /// The faults in force.
    pub fn active(&self) -> &[Fault] {
        &self.active
    }

    /// How many answers were hit.
    pub fn hits(&self) -> u64 {
        self.hits
    }

    /// The alarms that a servo is made to complain of.
    pub fn alarms(&mut self, id: u8) -> Alarms {
        let mut alarms = Alarms::NONE;
        self.strike(id, |kind| match kind {
            Kind::Alarm(forced) => {
                alarms |= forced;
                true
            }
            _ => false,
        });
        alarms
    }

    /// What becomes of a good answer.
    pub fn shape(&mut self, id: u8, answer: &[u8]) -> Vec<Piece> {
        let mut pieces = vec![Piece { after: Duration::ZERO, bytes: answer.to_vec() }];
        if self.active.is_empty() {
            return pieces;
        }
        let mut struck = Vec::new();
        self.strike(id, |kind| {
            let is_of_the_wire = !matches!(kind, Kind::Alarm(_));
            if is_of_the_wire {
                struck.push(kind);
            }
            is_of_the_wire
        });
        // The servo says its id before the wire spoils anything.
        struck.sort_by_key(|kind| *kind != Kind::WrongId);
        for kind in struck {
            self.apply(kind, id, &mut pieces);
        }
        self.remember(id, answer);
        pieces
    }

    /// Offers each fault that hits this answer; those taken are counted and used up.
    fn strike(&mut self, id: u8, mut take: impl FnMut(Kind) -> bool) {
        let Self { active, random, hits, hits_by_kind, .. } = self;
        active.retain_mut(|fault| {
            let hits_this = fault.id.is_none_or(|meant| meant == id)
                && fault.count != Some(0)
                && (1.0 <= fault.probability || random.f64() < fault.probability);
            if hits_this && take(fault.kind) {
                *hits += 1;
                hits_by_kind[fault.kind.number()] += 1;
                fault.count = fault.count.map(|left| left - 1);
            }
            fault.count != Some(0)
        });
    }

    fn apply(&mut self, kind: Kind, id: u8, pieces: &mut Vec<Piece>) {
        let Self { random, shape, .. } = self;
        match kind {
            Kind::Silent => pieces.clear(),
            Kind::Late(by) => pieces.iter_mut().for_each(|piece| piece.after += by),
            Kind::Dribble(gap) => *pieces = pieces.iter().flat_map(|piece| drip(piece, gap)).collect(),
            Kind::Stale => {
                let old = self.previous.iter().find(|(known, _)| *known == id);
                if let (Some((_, old)), Some(first)) = (old, pieces.first_mut()) {
                    first.bytes.splice(0..0, old.iter().copied());
                }
            }
            Kind::Alarm(_) => {}
            Kind::Truncated | Kind::Corrupt | Kind::Noise | Kind::Duplicate | Kind::WrongId => {
                for piece in pieces {
                    piece.bytes = spoil(kind, &piece.bytes, *shape, random);
                }
            }
        }
    }

    fn remember(&mut self, id: u8, answer: &[u8]) {
        match self.previous.iter_mut().find(|(known, _)| *known == id) {
            Some((_, previous)) => {
                previous.clear();
                previous.extend_from_slice(answer);
            }
            None => self.previous.push((id, answer.to_vec())),
        }
    }
}

fn drip(piece: &Piece, gap: Duration) -> Vec<Piece> {
    let mut after = piece.after;
    let drop = |byte: &u8| {
        let drop = Piece { after, bytes: vec![*byte] };
        after += gap;
        drop
    };
    piece.bytes.iter().map(drop).collect()
}

fn spoil(kind: Kind, answer: &[u8], shape: Shape, random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = answer.to_vec();
    match kind {
        Kind::Truncated => bytes.truncate(random.usize(1..answer.len().max(2))),
        Kind::Corrupt => {
            let from = shape.body_at.min(answer.len().saturating_sub(1));
            let at = random.usize(from..answer.len().max(from + 1));
            let bit = 1 << random.u32(0..7);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= bit;
            }
        }
        Kind::Noise => bytes.insert(0, random.u8(..)),
        Kind::Duplicate => bytes = collide(answer, answer),
        Kind::WrongId => bytes = (shape.with_another_id)(answer),
        _ => {}
    }
    bytes
}

/// What a listener makes of two answers at once, the second a byte behind: zeros win on the wire.
pub fn collide(first: &[u8], second: &[u8]) -> Vec<u8> {
    let len = first.len().max(second.len() + 1);
    let at = |bytes: &[u8], index: Option<usize>| index.and_then(|i| bytes.get(i).copied()).unwrap_or(0xFF);
    (0..len).map(|i| at(first, Some(i)) & at(second, i.checked_sub(1))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: [u8; 8] = [0xFF, 0xFF, 0x01, 0x04, 0x00, 0x09, 0x03, 0xEE];

    #[test]
    fn without_faults_an_answer_is_left_alone() {
        assert_eq!(faults_from(1).shape(1, &ANSWER), good());
    }

    #[test]
    fn each_kind_does_what_its_name_says() {
        let ms = Duration::from_millis;
        assert_eq!(struck(Kind::Silent), []);
        assert_eq!(struck(Kind::Late(ms(5))), [Piece { after: ms(5), bytes: ANSWER.to_vec() }]);
        assert!(struck(Kind::Truncated)[0].bytes.len() < ANSWER.len());
        assert_ne!(struck(Kind::Corrupt), good());
        assert_eq!(struck(Kind::Noise)[0].bytes[1..], ANSWER);
        assert_ne!(struck(Kind::Duplicate)[0].bytes[..8], ANSWER);
        assert_eq!(struck(Kind::WrongId)[0].bytes, [2]);
        let drops = struck(Kind::Dribble(ms(1)));
        assert_eq!((drops.len(), drops[7].after), (8, ms(7)));
    }

    #[test]
    fn a_stale_answer_comes_before_the_fresh_one() {
        let mut faults = faults_from(1);
        faults.inject(fault(Kind::Stale));
        faults.shape(1, &ANSWER);
        assert_eq!(faults.shape(1, b"fresh")[0].bytes, [&ANSWER[..], b"fresh"].concat());
    }

    #[test]
    fn a_fault_hits_its_servo_as_often_as_was_asked() {
        let mut faults = faults_from(1);
        faults.inject(Fault { id: Some(1), count: Some(2), ..fault(Kind::Silent) });
        assert_eq!(faults.shape(2, &ANSWER), good());
        assert_eq!(faults.shape(1, &ANSWER), []);
        assert_eq!(faults.shape(1, &ANSWER), []);
        assert_eq!(faults.shape(1, &ANSWER), good());
        assert_eq!((faults.hits(), faults.active().len()), (2, 0));
        assert_eq!(faults.hits_by_kind().filter(|(_, hits)| 0 < *hits).collect::<Vec<_>>(), [("silent", 2)]);
    }

    #[test]
    fn the_seed_decides_who_is_hit() {
        let run = |seed| {
            let mut faults = faults_from(seed);
            faults.inject(Fault { probability: 0.3, ..fault(Kind::Silent) });
            (0..100).map(|_| faults.shape(1, &ANSWER).is_empty()).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        let hits = run(7).into_iter().filter(|hit| *hit).count();
        assert!((15..45).contains(&hits), "{hits}");
    }

    #[test]
    fn faults_are_cleared_by_name_by_servo_or_all() {
        let mut faults = faults_from(1);
        faults.inject(Fault { id: Some(1), ..fault(Kind::Silent) });
        faults.inject(Fault { id: Some(2), ..fault(Kind::Silent) });
        faults.inject(Fault { id: Some(2), ..fault(Kind::Noise) });
        assert_eq!(faults.clear(Some("noise"), None), 1);
        assert_eq!(faults.clear(None, Some(1)), 1);
        assert_eq!(faults.clear(None, None), 1);
    }

    #[test]
    fn any_faults_can_hit_the_same_answer() {
        let mut faults = faults_from(3);
        for kind in [Kind::Noise, Kind::Truncated, Kind::Corrupt, Kind::Stale, Kind::Duplicate, Kind::WrongId]
        {
            faults.inject(Fault { probability: 0.6, ..fault(kind) });
        }
        for _ in 0..2000 {
            faults.shape(1, &ANSWER);
        }
    }

    fn faults_from(seed: u64) -> Faults {
        Faults::new(seed, Shape { body_at: 4, with_another_id: |_| vec![2] })
    }

    fn struck(kind: Kind) -> Vec<Piece> {
        let mut faults = faults_from(1);
        faults.inject(fault(kind));
        faults.shape(1, &ANSWER)
    }

    fn fault(kind: Kind) -> Fault {
        Fault { kind, id: None, probability: 1.0, count: None }
    }

    fn good() -> Vec<Piece> {
        vec![Piece { after: Duration::ZERO, bytes: ANSWER.to_vec() }]
    }
}
