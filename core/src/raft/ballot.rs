//! The term a member lives in and the vote it gave there: the two things it must never forget.
use super::{Raft, message};
use crate::{MemberId, Moment, Note, Plant};
use detcd_proto::raftpb::{Message, MessageType};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ballot {
    pub term: u64,
    /// Whom this member voted for in `term`.
    pub vote: Option<MemberId>,
}

impl Raft {
    /// Answers a candidate whose term is not below ours. Raft 5.2 and 5.4; pre-votes: Ongaro's thesis 9.6.
    ///
    /// A learner answers too: it may have been promoted without having heard of it yet.
    pub(super) fn answer_candidate(&mut self, now: Moment, m: &Message, kind: MessageType) {
        let candidate = MemberId(m.from);
        let pre = kind == MessageType::MsgPreVote;
        let answer = if pre { MessageType::MsgPreVoteResp } else { MessageType::MsgVoteResp };
        let free = match self.ballot.vote {
            Some(vote) => vote == candidate,
            None => self.leader.is_none(),
        };
        let plants = self.settings.plants;
        let may = free || (pre && m.term > self.ballot.term);
        let is_up_to_date = self.log.is_behind_or_equal(m.index, m.log_term);
        let learns = plants.has(Plant::LearnerRefusesVote) && !self.membership.is_voter(self.id);
        if may && !learns && self.lost == 0 && (is_up_to_date || plants.has(Plant::NoUptodateCheck)) {
            if !pre {
                self.ballot.vote = Some(candidate);
                self.restart_election_timer(now);
            }
            // A pre-vote is granted for the term it asks about, which is not ours.
            let own = self.ballot.term.max(1);
            let term = if plants.has(Plant::PrevoteLocalTerm) { own } else { m.term };
            self.send(Message { term, ..message::to(answer, candidate) });
        } else {
            self.refuse_candidate(candidate, answer);
        }
    }

    /// A refusal tells what is committed. The candidate may still ask members that were removed, and a removed member
    /// whose log is longer would refuse it for ever if it could not pass on that it was removed. etcd leaves these
    /// fields empty and does not read them.
    pub(super) fn refuse_candidate(&mut self, candidate: MemberId, answer: MessageType) {
        let (commit, log_term) = (self.commit, self.log.term(self.commit).unwrap_or(0));
        self.send(Message { commit, log_term, reject: true, ..message::to(answer, candidate) });
    }

    /// A follower that heard its leader within the last election timeout, and a leader, know of no reason for an
    /// election: a member that was cut off must not topple a leader that works (thesis 4.2.3 and 6.2).
    pub(super) fn has_working_leader(&self, now: Moment) -> bool {
        self.leader.is_some() && (self.is_leader() || now - self.heard < self.settings.election_timeout)
    }

    pub(super) fn refuse(&mut self, from: MemberId, reason: &'static str) {
        self.notes.push(Note::MessageRefused { from, reason });
    }
}
