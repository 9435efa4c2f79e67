//! Standing for election: first the question whether it would be won (PreVote), then the election.
use super::{Ballot, Raft, Role, message, quorum::Verdict};
use crate::{MemberId, Moment, Note, Plant};
use alloc::collections::BTreeMap;
use bytes::Bytes;
use detcd_proto::raftpb::{Message, MessageType};

#[derive(Debug, Default)]
pub struct Candidate {
    /// The first answer of each member counts.
    votes: BTreeMap<MemberId, bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Campaign {
    /// Would I win?
    Pre,
    Election,
    /// The old leader asked for it: no need to ask, and voters answer although their leader works.
    Transfer,
}

impl Raft {
    pub(super) fn campaign_by_timer(&mut self, now: Moment) {
        // Before its ballot is durable a member can neither win nor ask, and another ballot would have to wait behind
        // this one: with a disk slower than the timer, for ever.
        if self.has_unapplied_conf_change() || !self.durability.ballot_is_durable(self.ballot) {
            let heard = self.heard;
            self.restart_election_timer(now);
            // The leader was not heard for that.
            self.heard = heard;
            return;
        }
        self.campaign(now, if self.settings.pre_vote { Campaign::Pre } else { Campaign::Election });
    }

    pub(super) fn campaign(&mut self, now: Moment, how: Campaign) {
        assert!(!self.is_leader(), "a leader has no reason to campaign");
        self.durability.drop_held();
        self.restart_election_timer(now);
        self.set_leader(None);
        let kind = if how == Campaign::Pre {
            self.role = Role::PreCandidate(Candidate::default());
            self.notes.push(Note::BecamePreCandidate { term: self.ballot.term });
            MessageType::MsgPreVote
        } else {
            self.ballot = Ballot { term: self.ballot.term + 1, vote: Some(self.id) };
            self.role = Role::Candidate(Candidate::default());
            self.notes.push(Note::BecameCandidate { term: self.ballot.term });
            MessageType::MsgVote
        };
        let term = if how == Campaign::Pre { self.ballot.term + 1 } else { self.ballot.term };
        let (index, log_term) = (self.log.last_index(), self.log.last_term());
        let context = (how == Campaign::Transfer).then(|| Bytes::from_static(message::CAMPAIGN_TRANSFER));
        for voter in self.membership.all_voters() {
            if voter != self.id {
                let context = context.clone();
                self.send(Message { term, index, log_term, context, ..message::to(kind, voter) });
            }
        }
        self.count_own_vote(now);
    }

    /// A candidate's own vote counts like any other: once it is durable. A pre-vote promises nothing.
    pub(super) fn count_own_vote(&mut self, now: Moment) {
        let counts = match &self.role {
            Role::PreCandidate(_) => true,
            Role::Candidate(_) => self.durability.ballot_is_durable(self.ballot),
            Role::Follower(_) | Role::Leader(_) => false,
        };
        if counts {
            self.count_vote(now, self.id, true);
        }
    }

    pub(super) fn take_vote(&mut self, now: Moment, from: MemberId, m: &Message, kind: MessageType) {
        let pre = kind == MessageType::MsgPreVoteResp;
        let mine = match &self.role {
            // Consent names the term it is for; a refusal comes in the voter's own.
            Role::PreCandidate(_) => {
                let any = self.settings.plants.has(Plant::PrevoteLocalTerm);
                pre && (m.reject || any || m.term == self.ballot.term + 1)
            }
            Role::Candidate(_) => !pre,
            Role::Follower(_) | Role::Leader(_) => false,
        };
        if mine {
            self.count_vote(now, from, !m.reject);
        }
    }

    /// What a voter that refused knows to be committed, in whatever term it lives: a log that has the same entry there
    /// has the same entries before it.
    pub(super) fn take_commit_hint(&mut self, m: &Message) {
        if !self.is_leader() && self.log.term(m.commit) == Some(m.log_term) {
            self.commit_to(m.commit);
        }
    }

    fn count_vote(&mut self, now: Moment, voter: MemberId, granted: bool) {
        let (Role::PreCandidate(candidate) | Role::Candidate(candidate)) = &mut self.role else { return };
        let mut voter = voter;
        if self.settings.plants.has(Plant::DupVotes) && voter != self.id {
            // Its second answer stands for somebody who has not answered.
            let counted = |member: &MemberId| candidate.votes.contains_key(member);
            let silent = self.membership.all_voters().into_iter().find(|member| !counted(member));
            voter = silent.filter(|_| counted(&voter)).unwrap_or(voter);
        }
        candidate.votes.entry(voter).or_insert(granted);
        let votes = &candidate.votes;
        match self.membership.tally(|member| votes.get(&member).copied()) {
            Verdict::Open => {}
            Verdict::Lost => self.become_follower(now, self.ballot.term, None),
            Verdict::Won if matches!(self.role, Role::PreCandidate(_)) => {
                self.campaign(now, Campaign::Election);
            }
            // Nobody was asked before the ballot was durable, but somebody may answer a life that the disk forgot.
            Verdict::Won if !self.durability.ballot_is_durable(self.ballot) => {}
            Verdict::Won => self.become_leader(now),
        }
    }
}
