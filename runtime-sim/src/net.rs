//! The net as the driver sees it. Messages are encoded where they leave and decoded where they arrive, and a cut is
//! felt at both ends.
use crate::{
    agenda::Due,
    event::{Event, Happening},
    links::Frame,
    task::answer,
    transcript::Stir,
    world::{Life, Slot, Stage, World},
};
use bytes::Bytes;
use detcd_core::{Member, MemberId};
use detcd_driver::{Arrival, CallFailed, Inbound, Net, PeerAnswer, PeerCall, StreamFailed, pipe::PipeOut};
use detcd_proto::{Message as _, raftpb};
use std::{
    collections::VecDeque,
    future::{pending, poll_fn},
    sync::Arc,
    task::{Poll, Waker},
};

/// So many arrivals wait for a member that does not take them; what comes then is lost, as in a full socket.
const INBOX_MAX: usize = 4096;

/// How often somebody whose call is held back looks whether it may go on, in nanoseconds.
const HELD_LOOK_NS: u64 = 5_000_000;

/// How long a peer waits for the answer to a call, in nanoseconds.
const CALL_TIMEOUT_NS: u64 = 5_000_000_000;

/// What has arrived at a member and was not taken yet.
#[derive(Default)]
pub(crate) struct Inbox {
    queue: VecDeque<Arrival>,
    reader: Option<Waker>,
}

impl Inbox {
    /// False: it was full.
    fn push(&mut self, arrival: Arrival) -> bool {
        if self.queue.len() >= INBOX_MAX {
            return false;
        }
        self.queue.push_back(arrival);
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        true
    }
}

impl Inbox {
    /// Everything that waits; the waker is called for what comes after.
    pub(crate) fn take_all(&mut self, waker: &Waker, into: &mut Vec<Arrival>) {
        into.extend(self.queue.drain(..));
        if !self.reader.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.reader = Some(waker.clone());
        }
    }
}

#[derive(Clone)]
pub struct SimNet {
    pub(crate) stage: Stage,
    pub(crate) life: Arc<Life>,
}

impl Net for SimNet {
    fn set_peers(&self, peers: &[Member], removed: &[MemberId]) {
        self.stage.enter(|world| {
            if world.is_alive(&self.life) {
                let me = self.life.member;
                peers.iter().for_each(|peer| world.hear_address(peer.id, &peer.peer_urls));
                world.link_peers(me, peers.iter().map(|peer| peer.id).collect(), removed);
            }
        });
    }

    fn send(&self, message: raftpb::Message) {
        self.stage.enter(|world| {
            let from = self.life.member;
            if !world.is_alive(&self.life) {
                return;
            }
            let Some(to) = world.peer_of(from, MemberId(message.to)) else { return };
            world.observe(&Happening::Sending { from, to, message: &message });
            if world.is_alive(&self.life) {
                world.send(from, to, &message);
            }
        });
    }

    async fn recv(&self) -> Arrival {
        poll_fn(|cx| {
            self.stage.enter(|world| {
                if !world.is_alive(&self.life) {
                    return Poll::Pending;
                }
                let inbox = world.inbox_mut(self.life.member);
                match inbox.queue.pop_front() {
                    Some(arrival) => Poll::Ready(arrival),
                    None => {
                        inbox.reader = Some(cx.waker().clone());
                        Poll::Pending
                    }
                }
            })
        })
        .await
    }

    async fn call(&self, to: MemberId, call: PeerCall) -> Result<PeerAnswer, CallFailed> {
        let from = self.life.member;
        let Some((to, deadline)) = self.stage.enter(|world| {
            if !world.is_alive(&self.life) {
                return None;
            }
            world.count("net: peer call");
            Some((world.peer_of(from, to), world.now() + CALL_TIMEOUT_NS))
        }) else {
            return pending().await;
        };
        let Some(to) = to else { return Err(CallFailed::Unreachable) };
        self.hop(from, to, deadline).await?;
        let Some((serve, life)) = self.stage.enter(|world| world.server_of(to)) else {
            return Err(CallFailed::Unreachable);
        };
        let (done, mut asked) = answer();
        let back = SimNet { stage: self.stage.clone(), life: life.clone() };
        self.stage.spawn_in(&life, "peer-call", async move {
            let result = serve(call).await;
            if back.hop(to, from, deadline).await.is_ok() {
                done.give(result);
            }
        });
        asked.until(&self.stage, deadline).await.unwrap_or(Err(CallFailed::Unreachable))
    }

    async fn stream_to(&self, message: raftpb::Message, body: PipeOut) -> Result<(), StreamFailed> {
        self.stream(message, body).await
    }

    async fn next_stream(&self) -> Inbound {
        self.next().await
    }
}

impl SimNet {
    /// One way over a link; what is lost is noticed at the deadline only.
    async fn hop(&self, from: Slot, to: Slot, deadline: u64) -> Result<(), CallFailed> {
        let arrival = self.stage.enter(|world| {
            let now = world.now();
            let World { links, link_dice, .. } = world;
            let arrival = links.send(now, from, to, false, link_dice)[0];
            if arrival.is_some() {
                links.of_mut(from, to).arrived();
            }
            arrival
        });
        if let Some(at) = arrival {
            self.stage.nap_until(at.min(deadline)).await;
            while self.stage.enter(|world| world.links.of(from, to).is_clogged() && world.now() < deadline) {
                self.stage.nap(HELD_LOOK_NS).await;
            }
            if self.stage.enter(|world| world.now() < deadline && !world.links.is_cut(from, to)) {
                return Ok(());
            }
        }
        self.stage.nap_until(deadline).await;
        Err(CallFailed::Unreachable)
    }
}

impl World {
    fn send(&mut self, from: Slot, to: Slot, message: &raftpb::Message) {
        let now = self.now();
        let bytes = Bytes::from(message.encode_to_vec());
        let (kind, sum) = (message.r#type, Stir::of(&bytes));
        self.record(&Event::Send {
            from,
            to,
            kind,
            term: message.term,
            index: message.index,
            bytes: bytes.len() as u64,
            sum,
        });
        // A forwarded proposal is the one message that means something else when it comes twice. No transport repeats
        // what it was given once, so neither do we; the others are repeated because they must not mind.
        let may_repeat = message.r#type != raftpb::MessageType::MsgProp as i32;
        if !self.links.of(from, to).has_room() {
            self.record(&Event::Drop { from, to, why: "buffer full" });
            self.count("net: buffer full");
            return;
        }
        let World { links, link_dice, .. } = self;
        let arrivals = links.send(now, from, to, may_repeat, link_dice);
        if arrivals[0].is_none() {
            let cut = self.links.is_cut(from, to);
            self.record(&Event::Drop { from, to, why: if cut { "cut" } else { "lost" } });
            self.count(if cut { "net: message cut off" } else { "net: message lost" });
        }
        self.count_many("net: message repeated", u64::from(arrivals[1].is_some()));
        for at in arrivals.into_iter().flatten() {
            let frame = Frame { kind, sum, bytes: bytes.clone() };
            self.add(
                at,
                Due::Do(Box::new(move |world| {
                    world.links.of_mut(from, to).arrived();
                    world.deliver(from, to, frame);
                })),
            );
        }
    }

    /// A message comes out of its link.
    pub(crate) fn deliver(&mut self, from: Slot, to: Slot, frame: Frame) {
        if self.links.of(from, to).is_clogged() {
            self.count("net: message held back");
            if !self.links.of_mut(from, to).hold(frame) {
                self.record(&Event::Drop { from, to, why: "too much held back" });
            }
            return;
        }
        if self.links.is_cut(from, to) {
            self.record(&Event::Drop { from, to, why: "cut in flight" });
            self.count("net: message cut off in flight");
            return;
        }
        if let Some(stray) = self.links.of(from, to).stray {
            self.count("net: message misdelivered");
            self.arrive(from, stray, frame.clone());
        }
        self.arrive(from, to, frame);
    }

    /// A message reaches the machine it was sent to.
    pub(crate) fn arrive(&mut self, from: Slot, to: Slot, frame: Frame) {
        if !self.is_up(to) {
            self.record(&Event::Drop { from, to, why: "nobody there" });
            self.count("net: message cut off in flight");
            return;
        }
        let message = match raftpb::Message::decode(frame.bytes.clone()) {
            Ok(message) => message,
            Err(error) => return self.trouble("wire", format!("a message cannot be read back: {error}")),
        };
        self.delay_ns = None;
        self.observe(&Happening::Delivering { from, to, message: &message });
        if let Some(delay) = self.delay_ns.take() {
            self.count("net: message late");
            self.after(delay, move |world| world.arrive(from, to, frame));
            return;
        }
        if message.r#type != raftpb::MessageType::MsgProp as i32 {
            self.links.of_mut(from, to).overhear(&frame);
        }
        if self.is_up(to) && self.refuses(from, to) {
            return;
        }
        if self.is_up(to) {
            self.meet(to, from);
            self.record(&Event::Deliver { from, to, kind: frame.kind, sum: frame.sum });
            self.count("net: message delivered");
            if !self.inbox_mut(to).push(Arrival::Message(message)) {
                self.record(&Event::Drop { from, to, why: "inbox full" });
                self.count("net: inbox full");
            }
        }
    }

    /// Whether one who was removed knocks; it is told so, if its link carries that.
    fn refuses(&mut self, from: Slot, to: Slot) -> bool {
        if !self.is_removed_for(to, self.id_of(from)) {
            return false;
        }
        self.record(&Event::Drop { from, to, why: "removed" });
        self.count("net: removed member refused");
        if !self.links.is_cut(to, from) {
            let (life, by) = (self.life_of(from), self.id_of(to));
            let delay = 200_000 + self.link_dice.below(2_000_000);
            self.after(delay, move |world| {
                if world.life_of(from) == life && world.is_up(from) {
                    world.inbox_mut(from).push(Arrival::Expelled(by));
                }
            });
        }
        true
    }

    /// Somebody talks to a member that does not know it: from now on it can be answered.
    fn meet(&mut self, member: Slot, stranger: Slot) {
        if member != stranger && self.may_meet(member, stranger) {
            self.count("net: peer met that the log does not name yet");
            let mut peers = self.peers_of(member).to_vec();
            peers.push(stranger);
            self.set_peers_of(member, peers);
            self.link_later(member, stranger);
        }
    }

    /// A member names its peers: links to the new ones come up if they can, those to the gone are closed.
    fn link_peers(&mut self, member: Slot, named: Vec<MemberId>, removed: &[MemberId]) {
        let peers = self.name_peers(member, named, removed);
        let old = self.set_peers_of(member, peers.clone());
        for &gone in old.iter().filter(|gone| !peers.contains(gone)) {
            self.tell_link(member, gone, false);
            // Its links end too, and it knocks again.
            if self.is_removed_for(member, self.id_of(gone)) && self.peers_of(gone).contains(&member) {
                self.link_later(gone, member);
            }
        }
        for &peer in peers.iter().filter(|peer| !old.contains(peer)) {
            self.link_later(member, peer);
            if self.peers_of(peer).contains(&member) {
                self.link_later(peer, member);
            }
        }
    }

    /// Where a member's peer is. Nothing is sent to anybody who is none.
    pub(crate) fn peer_of(&self, member: Slot, peer: MemberId) -> Option<Slot> {
        self.slot_of(peer).filter(|slot| self.peers_of(member).contains(slot))
    }

    fn link_later(&mut self, at: Slot, peer: Slot) {
        let life = self.life_of(at);
        let delay = 200_000 + self.link_dice.below(2_000_000);
        self.after(delay, move |world| {
            let stands = world.life_of(at) == life
                && world.is_up(at)
                && world.is_up(peer)
                && world.peers_of(at).contains(&peer)
                && !world.links.is_cut(at, peer);
            if stands && world.is_removed_for(peer, world.id_of(at)) {
                world.count("net: removed member refused");
                let by = world.id_of(peer);
                world.inbox_mut(at).push(Arrival::Expelled(by));
            } else if stands {
                world.tell_link(at, peer, true);
            }
        });
    }

    pub(crate) fn tell_link(&mut self, at: Slot, peer: Slot, up: bool) {
        self.record(&Event::Link { from: at, to: peer, up });
        let id = self.id_of(peer);
        self.inbox_mut(at).push(if up { Arrival::Linked(id) } else { Arrival::Lost(id) });
    }

    /// Peers notice a death soon, late, or not at all (a half-open connection).
    pub(crate) fn peer_died(&mut self, peer: Slot) {
        for at in (0..self.len()).filter(|&at| at != peer) {
            self.lose_link_later(at, peer);
        }
    }

    fn lose_link_later(&mut self, at: Slot, peer: Slot) {
        if self.link_dice.permille(250) {
            self.count("net: half-open link");
            return;
        }
        let life = self.life_of(at);
        let delay = self.link_dice.below(300_000_000);
        self.after(delay, move |world| {
            if world.life_of(at) == life && world.is_up(at) && world.peers_of(at).contains(&peer) {
                world.tell_link(at, peer, false);
            }
        });
    }

    /// Cuts one direction.
    pub fn cut(&mut self, from: Slot, to: Slot) {
        if !self.links.is_cut(from, to) {
            self.record(&Event::Link { from, to, up: false });
            self.lose_link_later(from, to);
            self.lose_link_later(to, from);
        }
        self.links.cut(from, to);
    }

    /// Takes one reason for a cut away.
    pub fn mend(&mut self, from: Slot, to: Slot) {
        self.links.mend(from, to);
        if !self.links.is_cut(from, to) {
            self.link_later(from, to);
        }
    }

    /// Every link is as good as at the beginning.
    pub fn heal_links(&mut self) {
        let cut: Vec<(Slot, Slot)> = (0..self.len())
            .flat_map(|from| (0..self.len()).map(move |to| (from, to)))
            .filter(|&(from, to)| self.links.is_cut(from, to))
            .collect();
        self.links.heal();
        self.unclog_all();
        for (from, to) in cut {
            self.link_later(from, to);
        }
    }
}
