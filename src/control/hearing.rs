//! What the servos of a line have heard of what they were told, judged by their answers, and what follows for each joint.
//!
//! Where nobody on a line answers, nobody may listen either: its joints stay. If the answers come after all, too late,
//! they were held up and everything was heard: the joints go on. If only new ones come, the servos may have stayed
//! where they were heard last: the joints are led back there first. Those of other lines come to rest meanwhile.
//!
//! Knows no limits and no clock.

/// What a joint is to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Course {
    /// What it is asked for.
    Free,
    /// Come to rest, as others cannot move.
    Rest,
    /// Stay where it was told to be last, at once: a servo that does not hear does not move on.
    Stay,
    /// Go to this position (rad or m), which its servo heard last.
    Back(f64),
}

/// What was heard of an arm's joints.
#[derive(Debug)]
pub(super) struct Hearing {
    joints: Vec<Ear>,
}

#[derive(Clone, Copy, Debug)]
struct Ear {
    line: usize,
    /// In how many cycles on end it was told something without anybody knowing whether it heard that.
    unheard: u32,
    is_fresh: bool,
    /// Its command a cycle ago.
    before: f64,
    /// The last command that it heard for certain.
    heard: f64,
    course: Course,
}

/// A line on which no servo has answered for so many cycles carries nothing.
const CYCLES_OF_A_DEAD_LINE: u32 = 2;

impl Hearing {
    /// So many joints, on one line.
    pub(super) fn new(joints: usize) -> Self {
        let ear = Ear { line: 0, unheard: 0, is_fresh: true, before: 0.0, heard: 0.0, course: Course::Free };
        Self { joints: vec![ear; joints] }
    }

    /// The servos of the joints hang on these lines, counted from 0, each of which may fall silent by itself.
    pub(super) fn set_lines(&mut self, lines: impl IntoIterator<Item = usize>) {
        self.joints.iter_mut().zip(lines).for_each(|(ear, line)| ear.line = line);
    }

    /// A joint holds at this position, and its servo knows that.
    pub(super) fn hold_at(&mut self, joint: usize, position: f64) {
        let ear = &mut self.joints[joint];
        *ear = Ear { unheard: 0, before: position, heard: position, course: Course::Free, ..*ear };
    }

    /// What came before is over.
    pub(super) fn forget(&mut self) {
        self.joints.iter_mut().for_each(|ear| (ear.unheard, ear.course) = (0, Course::Free));
    }

    /// The joint's servo has answered an earlier question too late.
    pub(super) fn note_late(&mut self, joint: usize) {
        self.joints[joint].unheard = 0;
    }

    /// Whether the joint's servo answered in this cycle.
    pub(super) fn note(&mut self, joint: usize, is_fresh: bool) {
        self.joints[joint].is_fresh = is_fresh;
    }

    /// Judges the cycle whose answers were noted; `commands` are what the joints were told before it.
    pub(super) fn judge(&mut self, commands: &[f64]) {
        let any_dead = self.joints.iter().any(|ear| self.is_dead(ear.line));
        for (joint, &command) in commands.iter().enumerate() {
            let line = self.joints[joint].line;
            let (is_dead, has_answered, unheard) =
                (self.is_dead(line), self.has_answered(line), self.unheard(line));
            let ear = &mut self.joints[joint];
            let is_back = has_answered && CYCLES_OF_A_DEAD_LINE <= unheard;
            match (has_answered, unheard) {
                _ if is_back => {}
                (true, _) => ear.heard = command,
                // When it was asked what it answered last, it had not been told the last command.
                (false, 0) => ear.heard = ear.before,
                (false, _) => {}
            }
            ear.course = match ear.course {
                _ if is_dead => Course::Stay,
                _ if is_back => Course::Back(ear.heard),
                Course::Back(position) if position != command => ear.course,
                _ if any_dead => Course::Rest,
                _ => Course::Free,
            };
            ear.before = command;
        }
        for ear in &mut self.joints {
            ear.unheard = if ear.is_fresh { 0 } else { ear.unheard.saturating_add(1) };
        }
    }

    /// What a joint is to do after this cycle.
    pub(super) fn course(&self, joint: usize) -> Course {
        self.joints[joint].course
    }

    fn of_line(&self, line: usize) -> impl Iterator<Item = &Ear> {
        self.joints.iter().filter(move |ear| ear.line == line)
    }

    fn has_answered(&self, line: usize) -> bool {
        self.of_line(line).any(|ear| ear.is_fresh)
    }

    /// For how long nobody on a line is known to have heard anything, before this cycle.
    fn unheard(&self, line: usize) -> u32 {
        self.of_line(line).map(|ear| ear.unheard).min().unwrap_or(0)
    }

    fn is_dead(&self, line: usize) -> bool {
        !self.has_answered(line) && CYCLES_OF_A_DEAD_LINE <= self.unheard(line) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of one joint that is told 1, 2, 3, and so on.
    struct Line {
        hearing: Hearing,
        command: f64,
    }

    impl Line {
        fn new() -> Self {
            Self { hearing: Hearing::new(1), command: 0.0 }
        }

        /// A cycle; what the joint is told is that it is to go on.
        fn cycle(&mut self, is_late: bool, is_fresh: bool) -> Course {
            if is_late {
                self.hearing.note_late(0);
            }
            self.hearing.note(0, is_fresh);
            self.hearing.judge(&[self.command]);
            let course = self.hearing.course(0);
            match course {
                Course::Free => self.command += 1.0,
                Course::Back(position) => self.command = position,
                Course::Rest | Course::Stay => {}
            }
            course
        }

        fn cycles(&mut self, count: usize, is_late: bool, is_fresh: bool) -> Course {
            (0..count).map(|_| self.cycle(is_late, is_fresh)).last().unwrap()
        }
    }

    #[test]
    fn a_single_answer_that_does_not_come_changes_nothing() {
        let mut line = Line::new();
        for _ in 0..5 {
            assert_eq!(line.cycle(false, true), Course::Free);
            assert_eq!(line.cycle(false, false), Course::Free);
        }
    }

    #[test]
    fn a_dead_line_stays_and_goes_back_to_what_it_heard_last() {
        let mut line = Line::new();
        line.cycles(10, false, true);
        // The last answer said that 9 was heard; 10 and 11 were told since.
        assert_eq!(line.cycle(false, false), Course::Free);
        assert_eq!(line.cycles(20, false, false), Course::Stay);
        assert_eq!(line.command, 11.0);
        assert_eq!(line.cycle(false, true), Course::Back(9.0));
        assert_eq!(line.cycle(false, true), Course::Free);
    }

    #[test]
    fn a_line_whose_answers_were_held_up_goes_on_from_where_it_is() {
        let mut line = Line::new();
        line.cycles(10, false, true);
        assert_eq!(line.cycles(5, false, false), Course::Stay);
        assert_eq!(line.cycle(true, true), Course::Free);
        assert_eq!(line.command, 12.0);
    }

    #[test]
    fn a_line_whose_answers_are_always_late_goes_on_and_knows_what_was_heard_when_it_dies() {
        let mut line = Line::new();
        line.cycles(10, false, true);
        assert_eq!(line.cycle(false, false), Course::Free);
        assert_eq!(line.cycles(20, true, false), Course::Free);
        // 31 was told last, and the last answer came to a question that was asked when 29 had been told.
        assert_eq!(line.command, 31.0);
        assert_eq!(line.cycles(20, false, false), Course::Stay);
        assert_eq!(line.cycle(false, true), Course::Back(29.0));
    }

    #[test]
    fn other_lines_rest_while_one_is_dead() {
        let mut hearing = Hearing::new(2);
        hearing.set_lines([0, 1]);
        (0..2).for_each(|joint| hearing.hold_at(joint, 0.5));
        let mut cycle = |of_first: bool| {
            hearing.note(0, of_first);
            hearing.note(1, true);
            hearing.judge(&[0.5, 0.5]);
            [hearing.course(0), hearing.course(1)]
        };
        cycle(false);
        assert_eq!(cycle(false), [Course::Stay, Course::Rest]);
        assert_eq!(cycle(true), [Course::Back(0.5), Course::Free]);
        assert_eq!(cycle(true), [Course::Free, Course::Free]);
    }
}
