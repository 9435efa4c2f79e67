//! Long streams between members: pieces go over the same links as messages, and as on a TCP connection what is lost is sent
//! again, until the link is cut, one of the two dies, or the connection breaks for no reason that anybody can see.
use crate::{
    event::{Event, Happening},
    net::SimNet,
    transcript::Stir,
    world::{Slot, World},
};
use bytes::Bytes;
use detcd_core::MemberId;
use detcd_driver::{
    Inbound, StreamFailed,
    pipe::{PipeIn, PipeOut, pipe, verdict},
};
use detcd_proto::{Message as _, raftpb};
use std::{
    collections::VecDeque,
    future::{pending, poll_fn},
    task::{Poll, Waker},
};

/// What a connection holds that nobody has read yet.
const PIECES_MAX: usize = 4;
/// Longest stretch that is under way as one, in bytes.
const PIECE_BYTES_MAX: usize = 64 * 1024;
/// What was lost is sent again after this, and given up after that, in nanoseconds.
const AGAIN_NS: u64 = 200_000_000;
const GIVE_UP_NS: u64 = 5_000_000_000;
/// So many in a thousand pieces are where a connection breaks. A calm world has none.
const RESET_PERMILLE: u64 = 15;
/// A peer that holds a piece back is looked at again after this, in nanoseconds.
const HELD_LOOK_NS: u64 = 5_000_000;

/// Streams that peers have begun and this member has not taken yet.
#[derive(Default)]
pub(crate) struct Doorstep {
    waiting: VecDeque<Inbound>,
    reader: Option<Waker>,
}

/// The connection is of no use any more.
struct Lost;

impl SimNet {
    pub(crate) async fn next(&self) -> Inbound {
        poll_fn(|cx| {
            self.stage.enter(|world| {
                if !world.is_alive(&self.life) {
                    return Poll::Pending;
                }
                let doorstep = world.doorstep_mut(self.life.member);
                match doorstep.waiting.pop_front() {
                    Some(inbound) => Poll::Ready(inbound),
                    None => {
                        doorstep.reader = Some(cx.waker().clone());
                        Poll::Pending
                    }
                }
            })
        })
        .await
    }

    pub(crate) async fn stream(
        &self,
        message: raftpb::Message,
        mut body: PipeOut,
    ) -> Result<(), StreamFailed> {
        let from = self.life.member;
        let Some(to) = self.stage.enter(|world| {
            let to = world.is_alive(&self.life).then(|| world.peer_of(from, MemberId(message.to)));
            if let Some(Some(to)) = to {
                world.observe(&Happening::Sending { from, to, message: &message });
            }
            to
        }) else {
            return pending().await;
        };
        let to = to.ok_or(StreamFailed::Broken)?;
        let broken = |Lost| StreamFailed::Broken;
        let index = message.snapshot.as_ref().map_or(0, |snapshot| snapshot.metadata.index);
        let head = Bytes::from(message.encode_to_vec());
        self.carry(from, to, message.term, index, &head).await.map_err(broken)?;
        let Some(life) = self.stage.enter(|world| world.is_up(to).then(|| world.life_of(to))) else {
            return Err(StreamFailed::Broken);
        };
        let message = raftpb::Message::decode(head).expect("it was encoded just now");
        let (tell, inbound_body) = pipe(PIECES_MAX);
        let (said, awaited) = verdict();
        let delay = self.stage.enter(|world| {
            world.observe(&Happening::Delivering { from, to, message: &message });
            world.count("net: stream begun");
            world.delay_ns.take()
        });
        if let Some(delay) = delay {
            self.stage.nap(delay).await;
        }
        self.stage.enter(|world| {
            let doorstep = world.doorstep_mut(to);
            doorstep.waiting.push_back(Inbound { message, body: inbound_body, verdict: said });
            if let Some(reader) = doorstep.reader.take() {
                reader.wake();
            }
        });
        let mut at = 0;
        loop {
            match body.pull().await {
                Ok(Some(mut piece)) => {
                    while !piece.is_empty() {
                        let part = piece.split_to(piece.len().min(PIECE_BYTES_MAX));
                        let carried = self.carry(from, to, index, at, &part).await;
                        at += part.len() as u64;
                        let stands = self.stage.enter(|world| world.is_up(to) && world.life_of(to) == life);
                        if carried.is_err() || !stands {
                            self.leave_hanging(from, to, tell);
                            return Err(StreamFailed::Broken);
                        }
                        if tell.push(part).await.is_err() {
                            return Err(StreamFailed::Broken);
                        }
                    }
                }
                Ok(None) => break,
                Err(_) => return Err(StreamFailed::Broken),
            }
        }
        if self.carry(from, to, index, at, &[]).await.is_err() {
            self.leave_hanging(from, to, tell);
            return Err(StreamFailed::Broken);
        }
        tell.end();
        self.stage.enter(|world| world.count("net: stream arrived"));
        let word = awaited.wait().await;
        self.carry(to, from, index, at, &[]).await.map_err(broken)?;
        word.map_err(StreamFailed::Refused)
    }

    /// One piece over a link.
    async fn carry(&self, from: Slot, to: Slot, term: u64, index: u64, piece: &[u8]) -> Result<(), Lost> {
        let (begun, resets) = self.stage.enter(|world| {
            let kind = raftpb::MessageType::MsgSnap as i32;
            let (bytes, sum) = (piece.len() as u64, Stir::of(piece));
            world.record(&Event::Send { from, to, kind, term, index, bytes, sum });
            let resets = !world.is_calm && world.link_dice.permille(RESET_PERMILLE);
            (world.now(), resets)
        });
        let deadline = begun + GIVE_UP_NS;
        loop {
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
                self.stage.nap_until(at).await;
            }
            let is_held = || self.stage.enter(|world| world.links.of(from, to).is_clogged());
            while is_held() {
                self.stage.nap(HELD_LOOK_NS).await;
            }
            let (passed, late) = self.stage.enter(|world| {
                let passed = arrival.is_some() && !world.links.is_cut(from, to);
                (passed, world.now() >= deadline)
            });
            if passed && !resets {
                return Ok(());
            }
            if passed || late {
                let why = if passed { "connection reset" } else { "connection lost" };
                self.stage.enter(|world| {
                    world.record(&Event::Drop { from, to, why });
                    world.count("net: stream broken");
                });
                return Err(Lost);
            }
            self.stage.nap(AGAIN_NS).await;
        }
    }

    /// The reader behind a link that is cut hears nothing of it, not even that.
    fn leave_hanging(&self, from: Slot, to: Slot, tell: PipeIn) {
        self.stage.enter(|world| {
            if world.links.is_cut(from, to) {
                world.count("net: stream left hanging");
                world.hanging.push(tell);
            }
        });
    }
}
