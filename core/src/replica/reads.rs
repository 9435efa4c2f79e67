//! Reads that wait for a quorum to confirm who leads, all behind one question.
//!
//! A question belongs to a round and carries a number no other question has. A round is asked again when no answer
//! came; an answer to any of its questions will do, because all its reads had arrived before the first.
use crate::{Moment, Ticket};
use alloc::{collections::VecDeque, vec::Vec};

/// What to do once the state is new enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Tell the client to look at the board.
    Point(Ticket),
    /// Renew a lease, if this member still leads.
    KeepAlive { ticket: Ticket, lease: i64 },
    /// Say how long a lease has left, if this member still leads.
    TimeToLive { ticket: Ticket, lease: i64, keys: bool },
}

impl Reader {
    pub fn ticket(&self) -> Ticket {
        match self {
            Reader::Point(ticket) | Reader::KeepAlive { ticket, .. } | Reader::TimeToLive { ticket, .. } => {
                *ticket
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    reader: Reader,
    since: Moment,
}

#[derive(Debug)]
struct Round {
    questions: Vec<u64>,
    asked: Moment,
    readers: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Confirmed {
    index: u64,
    readers: VecDeque<Waiting>,
}

#[derive(Debug, Default)]
pub struct Reads {
    /// Wait for the next round.
    arrived: VecDeque<Waiting>,
    round: Option<Round>,
    /// Wait for the state to catch up; ascending by index.
    confirmed: VecDeque<Confirmed>,
    waiting: usize,
}

impl Reads {
    pub fn len(&self) -> usize {
        self.waiting
    }

    pub fn arrive(&mut self, reader: Reader, now: Moment) {
        self.arrived.push_back(Waiting { reader, since: now });
        self.waiting += 1;
    }

    /// Whether reads wait and no question is open.
    pub fn wants_round(&self) -> bool {
        self.round.is_none() && !self.arrived.is_empty()
    }

    pub fn begin(&mut self, question: u64, now: Moment) {
        debug_assert!(self.wants_round(), "one round at a time");
        let readers = core::mem::take(&mut self.arrived);
        self.round = Some(Round { questions: alloc::vec![question], asked: now, readers });
    }

    /// When the open round was last asked.
    pub fn asked(&self) -> Option<Moment> {
        self.round.as_ref().map(|round| round.asked)
    }

    pub fn ask_again(&mut self, question: u64, now: Moment) {
        if let Some(round) = &mut self.round {
            round.questions.push(question);
            round.asked = now;
        }
    }

    /// A quorum confirmed this question at this index. Answers to older rounds find nobody.
    pub fn confirm(&mut self, question: u64, index: u64) {
        if let Some(round) = self.round.take_if(|round| round.questions.contains(&question)) {
            self.confirmed.push_back(Confirmed { index, readers: round.readers });
        }
    }

    /// Those whose index is applied.
    pub fn ready(&mut self, applied: u64, out: &mut Vec<Reader>) {
        let before = out.len();
        // A later round can carry a lower index only after an answer was lost and came late; look at all.
        self.confirmed.retain_mut(|confirmed| {
            if confirmed.index <= applied {
                out.extend(confirmed.readers.drain(..).map(|waiting| waiting.reader));
            }
            !confirmed.readers.is_empty()
        });
        self.waiting -= out.len() - before;
    }

    /// The open round can no longer be answered: its leader is gone.
    pub fn abandon(&mut self, out: &mut Vec<Reader>) {
        if let Some(round) = self.round.take() {
            self.waiting -= round.readers.len();
            out.extend(round.readers.into_iter().map(|waiting| waiting.reader));
        }
    }

    /// Only with a planted bug: whoever has arrived since waits for the open round too.
    pub fn join(&mut self) {
        if let Some(round) = &mut self.round {
            round.readers.append(&mut self.arrived);
        }
    }

    /// The moment since which the oldest has waited.
    pub fn oldest(&self) -> Option<Moment> {
        let confirmed = self.confirmed.iter().filter_map(|confirmed| confirmed.readers.front());
        let round = self.round.as_ref().and_then(|round| round.readers.front());
        confirmed.chain(round).chain(self.arrived.front()).map(|waiting| waiting.since).min()
    }

    /// Takes out those who have waited since `limit` or longer.
    pub fn expired(&mut self, limit: Moment, out: &mut Vec<Reader>) {
        let before = out.len();
        let mut from = |readers: &mut VecDeque<Waiting>| {
            let late = readers.iter().take_while(|waiting| waiting.since <= limit).count();
            out.extend(readers.drain(..late).map(|waiting| waiting.reader));
        };
        for confirmed in &mut self.confirmed {
            from(&mut confirmed.readers);
        }
        self.confirmed.retain(|confirmed| !confirmed.readers.is_empty());
        if let Some(round) = &mut self.round {
            from(&mut round.readers);
        }
        self.round.take_if(|round| round.readers.is_empty());
        from(&mut self.arrived);
        self.waiting -= out.len() - before;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(number: u64) -> Reader {
        Reader::Point(Ticket(number))
    }

    fn ready(reads: &mut Reads, applied: u64) -> Vec<Reader> {
        let mut out = Vec::new();
        reads.ready(applied, &mut out);
        out
    }

    #[test]
    fn all_who_arrived_before_the_question_are_answered_by_it_and_nobody_else() {
        let mut reads = Reads::default();
        reads.arrive(point(1), Moment(0));
        reads.arrive(point(2), Moment(1));
        reads.begin(100, Moment(2));
        reads.arrive(point(3), Moment(3));
        assert!(!reads.wants_round(), "one round at a time");
        reads.confirm(100, 7);
        assert!(ready(&mut reads, 6).is_empty(), "the state is not new enough");
        assert_eq!(ready(&mut reads, 7), [point(1), point(2)]);
        assert!(reads.wants_round() && reads.len() == 1);
    }

    #[test]
    fn any_question_of_the_round_may_be_answered_and_no_older_one() {
        let mut reads = Reads::default();
        reads.arrive(point(1), Moment(0));
        reads.begin(100, Moment(0));
        reads.ask_again(101, Moment(5));
        assert_eq!(reads.asked(), Some(Moment(5)));
        reads.confirm(100, 3);
        reads.arrive(point(2), Moment(6));
        reads.begin(102, Moment(6));
        reads.confirm(101, 3);
        assert_eq!(ready(&mut reads, 9), [point(1)], "the second came after the first round was asked");
        reads.confirm(102, 4);
        assert_eq!(ready(&mut reads, 9), [point(2)]);
        assert_eq!(reads.len(), 0);
    }

    #[test]
    fn who_waited_too_long_is_taken_out_wherever_it_waits() {
        let mut reads = Reads::default();
        for (number, at) in [(1, 0), (2, 10)] {
            reads.arrive(point(number), Moment(at));
        }
        reads.begin(100, Moment(10));
        reads.confirm(100, 50);
        reads.arrive(point(3), Moment(5));
        reads.begin(101, Moment(11));
        reads.arrive(point(4), Moment(5));
        assert_eq!(reads.oldest(), Some(Moment(0)));
        let mut late = Vec::new();
        reads.expired(Moment(5), &mut late);
        assert_eq!(late, [point(1), point(3), point(4)]);
        assert_eq!((reads.len(), reads.asked(), reads.oldest()), (1, None, Some(Moment(10))));
        assert_eq!(ready(&mut reads, 50), [point(2)]);
    }

    #[test]
    fn a_round_whose_leader_is_gone_gives_its_readers_back() {
        let mut reads = Reads::default();
        reads.arrive(point(1), Moment(0));
        reads.begin(100, Moment(0));
        reads.arrive(point(2), Moment(1));
        let mut out = Vec::new();
        reads.abandon(&mut out);
        reads.confirm(100, 1);
        assert_eq!((out, reads.len()), (alloc::vec![point(1)], 1));
        assert!(ready(&mut reads, 9).is_empty());
    }
}
