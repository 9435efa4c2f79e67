//! What the operator, or the process itself, wants of this member.
use super::Replica;
use crate::{MemberId, Moment, Order, Refusal, Reply, Ticket};

/// Somebody waits until another member leads.
#[derive(Debug)]
pub struct Transfer {
    ticket: Ticket,
    to: MemberId,
    pub deadline: Moment,
}

impl Replica {
    pub(super) fn obey(&mut self, now: Moment, ticket: Ticket, order: Order) {
        match order {
            Order::TransferLeadership { to } => self.transfer(now, ticket, to),
        }
    }

    fn transfer(&mut self, now: Moment, ticket: Ticket, to: Option<MemberId>) {
        if self.is_founding || !self.raft.is_leader() {
            return self.reply(ticket, Err(Refusal::NotLeader));
        }
        if to == Some(self.config.me.id) {
            return self.reply(ticket, Ok(Reply::Done));
        }
        if self.transfer.is_some() {
            return self.reply(ticket, Err(Refusal::TransferTookTooLong));
        }
        match self.raft.transfer(now, to) {
            Ok(to) => {
                let deadline = now + self.config.request_timeout();
                self.transfer = Some(Transfer { ticket, to, deadline });
            }
            Err(refusal) => self.reply(ticket, Err(refusal)),
        }
    }

    /// Called when somebody leads who did not before.
    pub(super) fn transferred(&mut self, leader: MemberId) {
        if let Some(transfer) = self.transfer.take_if(|_| leader != self.config.me.id) {
            let outcome = if transfer.to == leader { Ok(Reply::Done) } else { Err(Refusal::LeaderChanged) };
            self.reply(transfer.ticket, outcome);
        }
    }

    /// Raft has given the heir up; this member goes on leading.
    pub(super) fn notice_failed_transfer(&mut self) {
        let raft = &self.raft;
        let failed = |_: &mut Transfer| raft.is_leader() && raft.status().transferee.is_none();
        if let Some(transfer) = self.transfer.take_if(failed) {
            self.reply(transfer.ticket, Err(Refusal::TransferTookTooLong));
        }
    }

    pub(super) fn expire_transfer(&mut self, now: Moment) {
        if let Some(transfer) = self.transfer.take_if(|transfer| transfer.deadline <= now) {
            self.reply(transfer.ticket, Err(Refusal::TransferTookTooLong));
        }
    }
}
