//! Leadership transfer: let the heir catch up, tell it to campaign at once, take no proposals meanwhile, and stop
//! waiting after an election timeout. Ongaro's thesis 3.10.
use super::candidate::Campaign;
use super::progress::Progress;
use super::{Raft, Role, message};
use crate::{MemberId, Moment, Note, Plant, Refusal, Span};
use detcd_proto::raftpb::MessageType;

#[derive(Debug)]
pub struct Handover {
    pub to: MemberId,
    /// From here on this leader leads on.
    pub deadline: Moment,
    /// The heir has been told.
    told: bool,
}

impl Raft {
    pub(super) fn start_transfer(&mut self, now: Moment, to: Option<MemberId>) -> Result<MemberId, Refusal> {
        let Role::Leader(leader) = &self.role else { return Err(Refusal::NotLeader) };
        let under_way = leader.handover.as_ref().map(|handover| handover.to);
        let to = to.or_else(|| self.best_heir()).ok_or(Refusal::BadLeaderTransferee)?;
        if to == self.id || under_way == Some(to) {
            return Ok(to);
        }
        if !self.membership.is_voter(to) {
            return Err(Refusal::BadLeaderTransferee);
        }
        self.abort_transfer();
        let last = self.log.last_index();
        if let Role::Leader(leader) = &mut self.role {
            let patience = if self.settings.plants.has(Plant::TransferNeverAborts) {
                Span(u64::MAX)
            } else {
                self.settings.election_timeout
            };
            let deadline = now + patience;
            leader.handover = Some(Handover { to, deadline, told: false });
        }
        self.notes.push(Note::TransferStarted { to });
        self.hand_over_when_ready(now);
        if let Role::Leader(leader) = &mut self.role
            && let Some(progress) = leader.progress.get_mut(&to).filter(|progress| progress.matched < last)
        {
            progress.nudge();
        }
        Ok(to)
    }

    /// The heir holds everything: it may campaign, and will win.
    pub(super) fn hand_over_when_ready(&mut self, _now: Moment) {
        let last = self.log.last_index();
        let Role::Leader(leader) = &mut self.role else { return };
        let Some(handover) = &mut leader.handover else { return };
        let ready = leader.progress.get(&handover.to).is_some_and(|progress| progress.matched == last);
        let heir = handover.to;
        if ready && !handover.told {
            handover.told = true;
            self.send(message::to(MessageType::MsgTimeoutNow, heir));
        }
    }

    pub(super) fn abort_transfer(&mut self) {
        if let Role::Leader(leader) = &mut self.role
            && let Some(handover) = leader.handover.take()
        {
            self.notes.push(Note::TransferAborted { to: handover.to });
        }
    }

    /// The voter that was heard lately and holds most; the lowest id among equals.
    pub(super) fn best_heir(&self) -> Option<MemberId> {
        let Role::Leader(leader) = &self.role else { return None };
        let voters = leader.progress.iter().filter(|(member, _)| self.membership.is_voter(**member));
        // The first of the greatest: `max_by_key` would give the last.
        let merit = |(_, peer): &(&MemberId, &Progress)| (peer.active, peer.was_active, peer.matched);
        voters.rev().max_by_key(merit).map(|(member, _)| *member)
    }

    pub(super) fn take_transfer_wish(&mut self, now: Moment, from: MemberId) {
        if self.start_transfer(now, Some(from)).is_err() {
            self.refuse(from, "it cannot become leader by transfer");
        }
    }

    pub(super) fn take_timeout_now(&mut self, now: Moment) {
        let follows = matches!(self.role, Role::Follower(_));
        if follows && self.may_campaign() && !self.has_unapplied_conf_change() {
            self.campaign(now, Campaign::Transfer);
        }
    }
}
