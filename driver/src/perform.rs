//! Starts effects; never waits. Whatever must be known later comes back as an input.
use crate::{
    Net, Runtime,
    board::Board,
    checkpoint_courier::{Call, Parcel},
    checkpoint_writer::Order,
    credentials::Credentials,
    fanout::Fanout,
    gate::Gate,
    log_writer::Write,
    mailbox::Mailbox,
    meters::Meters,
    shutdown::Latch,
    telemetry,
};
use detcd_core::{Effect, MemberId, Moment, Span};
use std::sync::Arc;

/// What the loop holds in its hands.
pub struct Hands<R: Runtime> {
    pub rt: R,
    pub me: MemberId,
    pub log: Mailbox<Write>,
    pub checkpoints: Mailbox<Order>,
    /// Checkpoints for others, and what is to become of those from others.
    pub parcels: Mailbox<Parcel>,
    pub calls: Mailbox<Call>,
    pub board: Board,
    pub fanout: Fanout,
    pub gate: Gate,
    pub meters: Arc<Meters>,
    pub heartbeat_interval: Span,
    pub credentials: Arc<Credentials>,
    /// Opened when this member is none any more.
    pub expelled: Latch,
    /// Nudged when this member has become the leader.
    pub versions: Mailbox<()>,
    /// The term this member was last seen to lead.
    pub led: u64,
}

impl<R: Runtime> Hands<R> {
    pub fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Persist { segment, upto, bytes } => {
                self.log.push(Write { segment, upto, bytes }).expect("the core keeps one write in flight");
            }
            Effect::WriteCheckpoint { view, stand } => self.checkpoint(Order::Write { view, stand }),
            Effect::Forget { checkpoints_below, log_upto } => {
                self.checkpoint(Order::Forget { checkpoints_below, log_upto });
            }
            // Their number is bounded by what is under way to one member, and from one.
            Effect::SendCheckpoint { to, message } => {
                self.parcels.push_completion(Parcel::Send { to, message })
            }
            Effect::StageCheckpoint { draft, snapshot } => {
                self.calls.push_completion(Call::Stage { draft, snapshot });
            }
            Effect::DropCheckpoint { draft } => self.calls.push_completion(Call::Drop { draft }),
            Effect::Send { to: _, message } => self.rt.net().send(*message),
            Effect::Tokens(change) => self.credentials.take(change, self.rt.now()),
            Effect::Publish(edition) => {
                let standing = edition.standing;
                if standing.leader == Some(self.me) && standing.term > self.led {
                    self.led = standing.term;
                    // Already nudged is as good.
                    self.versions.push(()).ok();
                }
                self.fanout.publish(&edition);
                self.board.publish(edition);
            }
            Effect::Reply { ticket, outcome } => self.gate.resolve(ticket, outcome),
            Effect::Peers { peers, removed } => self.rt.net().set_peers(&peers, &removed),
            Effect::Expelled => self.expelled.open(),
            Effect::Note(note) => telemetry::tell(&self.rt, &self.meters, &note),
        }
    }

    fn checkpoint(&self, order: Order) {
        // The core asks for one at a time, and removes what each has replaced.
        self.checkpoints.push_completion(order);
    }

    /// A turn begins that was due at `wake`: a leader that is late with it is late with its heartbeats.
    pub fn notice_delay(&self, wake: Option<Moment>, now: Moment) {
        if wake.is_some_and(|wake| now - wake > self.heartbeat_interval.times(2))
            && self.board.latest().standing.leader == Some(self.me)
        {
            self.meters.late_heartbeats.add(1);
        }
    }

    /// The member stops: nobody waits in vain, and the writers end when they have done what they were given.
    pub fn put_down(self) {
        self.gate.stop();
        self.fanout.stop();
        self.log.close();
        self.checkpoints.close();
        self.parcels.close();
        self.calls.close();
        self.versions.close();
    }
}
