//! What the operator, or the process itself, wants of this member.
use super::Replica;
use crate::{MemberId, Moment, Order, Outcome, Refusal, Reply, Ticket};
use alloc::vec::Vec;

/// Some wait until another member leads.
#[derive(Debug)]
pub struct Transfer {
    tickets: Vec<Ticket>,
    to: MemberId,
    pub deadline: Moment,
}

impl Replica {
    pub(super) fn obey(&mut self, now: Moment, ticket: Ticket, order: Order) {
        match order {
            Order::TransferLeadership { to } => self.transfer(now, ticket, to),
            Order::ChangeMembers(change) => self.change_members(now, ticket, change),
        }
    }

    fn transfer(&mut self, now: Moment, ticket: Ticket, to: Option<MemberId>) {
        if self.is_founding || !self.raft.is_leader() {
            return self.reply(ticket, Err(Refusal::NotLeader));
        }
        if to == Some(self.config.me.id) {
            return self.reply(ticket, Ok(Reply::Done));
        }
        let to = match self.raft.transfer(now, to) {
            Ok(to) => to,
            Err(refusal) => return self.reply(ticket, Err(refusal)),
        };
        match &mut self.transfer {
            Some(transfer) if transfer.to == to => transfer.tickets.push(ticket),
            _ => {
                // Raft has given up an heir named before.
                self.end_transfer(Err(Refusal::TransferTookTooLong));
                let deadline = now + self.config.request_timeout();
                self.transfer = Some(Transfer { tickets: alloc::vec![ticket], to, deadline });
            }
        }
    }

    fn end_transfer(&mut self, outcome: Outcome) {
        for ticket in self.transfer.take().into_iter().flat_map(|transfer| transfer.tickets) {
            self.reply(ticket, outcome.clone());
        }
    }

    /// Called when somebody leads who did not before.
    pub(super) fn transferred(&mut self, leader: MemberId) {
        let Some(transfer) = &self.transfer else { return };
        if transfer.to == leader {
            self.end_transfer(Ok(Reply::Done));
        } else if leader != self.config.me.id {
            self.end_transfer(Err(Refusal::TransferTookTooLong));
        }
    }

    /// Raft has given the heir up; this member goes on leading.
    pub(super) fn notice_failed_transfer(&mut self) {
        let waits = self.transfer.is_some();
        if waits && self.raft.is_leader() && self.raft.status().transferee.is_none() {
            self.end_transfer(Err(Refusal::TransferTookTooLong));
        }
    }

    pub(super) fn expire_transfer(&mut self, now: Moment) {
        if self.transfer.as_ref().is_some_and(|transfer| transfer.deadline <= now) {
            self.end_transfer(Err(Refusal::TransferTookTooLong));
        }
    }
}
