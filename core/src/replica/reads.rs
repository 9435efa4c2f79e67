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
