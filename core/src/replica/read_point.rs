//! Linearizable reads: one question confirms for all who wait that nobody else leads. Source: contract-semantics 14.1.
use super::{Replica, WAITING_MAX, reads::Reader};
use crate::{Moment, Refusal, Reply, Span};
use alloc::vec::Vec;

/// A question without an answer is asked again after this.
pub const RETRY: Span = Span::millis(500);

impl Replica {
    pub(super) fn read(&mut self, now: Moment, reader: Reader) {
        if self.waiting() >= WAITING_MAX {
            return self.reply(reader.ticket(), Err(Refusal::TooManyRequests));
        }
        self.reads.arrive(reader, now);
    }

    /// Asks for those who arrived, if no question is open.
    pub(super) fn ask(&mut self, now: Moment) {
        if self.reads.wants_round() {
            let question = self.question_ids.next();
            self.reads.begin(question, now);
            self.put_question(now, question);
        }
    }

    /// The open question may have been lost, or there was nobody to answer it before.
    pub(super) fn ask_again(&mut self, now: Moment) {
        if self.reads.asked().is_some() {
            let question = self.question_ids.next();
            self.reads.ask_again(question, now);
            self.put_question(now, question);
        }
    }

    fn put_question(&mut self, now: Moment, question: u64) {
        if !self.is_founding {
            // Without a leader the question is asked again later, until the readers have waited long enough.
            self.raft.read_index(now, question).ok();
        }
    }

    pub(super) fn hear_answers(&mut self) {
        for (question, index) in self.raft.take_reads() {
            self.reads.confirm(question, index);
        }
    }

    /// Answers those for whom the state is new enough.
    pub(super) fn answer_reads(&mut self, now: Moment) {
        let mut ready = Vec::new();
        self.reads.ready(self.applied, &mut ready);
        for reader in ready {
            match reader {
                Reader::Point(ticket) => self.reply(ticket, Ok(Reply::ReadPoint)),
                Reader::KeepAlive { ticket, lease } => self.renew(now, ticket, lease),
                Reader::TimeToLive { ticket, lease, keys } => {
                    self.tell_time_to_live(now, ticket, lease, keys)
                }
            }
        }
    }

    /// Somebody new leads: whoever was asked may never answer.
    pub(super) fn abandon_reads(&mut self) {
        let mut abandoned = Vec::new();
        self.reads.abandon(&mut abandoned);
        for reader in abandoned {
            let refusal = match reader {
                Reader::Point(_) => Refusal::LeaderChanged,
                Reader::KeepAlive { .. } | Reader::TimeToLive { .. } => Refusal::NotPrimary,
            };
            self.reply(reader.ticket(), Err(refusal));
        }
    }

    pub(super) fn expire_reads(&mut self, now: Moment) {
        if let Some(limit) = self.limit(now) {
            let mut expired = Vec::new();
            self.reads.expired(limit, &mut expired);
            for reader in expired {
                self.reply(reader.ticket(), Err(Refusal::Timeout));
            }
        }
        if self.reads.asked().is_some_and(|asked| asked + RETRY <= now) {
            self.ask_again(now);
        }
    }
}
