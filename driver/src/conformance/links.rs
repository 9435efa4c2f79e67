//! Links between members, as the news of them tells, and questions to a peer.
//!
//! - `set_peers` opens a link to every new peer: `Linked` arrives when it stands. A peer that is named no more is told as
//!   `Lost` if it was linked; named again, it is `Linked` again. `Lost` may also come for other reasons, and more than
//!   once; that a peer has died may be told late or never.
//! - Only a peer is sent to: a message to a stranger, to a peer that is named no more, or to the sender itself is dropped
//!   without a word.
//! - `call` asks one peer one question and gives its answer unchanged. What is refused keeps its reason. A stranger, a
//!   peer without a process and a lost answer are `Unreachable`, within seconds.
use super::{PATIENCE, until};
use crate::{Arrival, CallFailed, Net as _, PeerAnswer, PeerCall, Runtime, Versions};
use detcd_core::{Member, MemberId, Span};
use detcd_proto::{etcdserverpb as pb, leasepb, raftpb};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One member: its runtime, and how its peers find it. Its peers are set by the suite, and its peer front must answer with
/// [`answer`].
pub struct Stand<R> {
    pub member: Member,
    pub rt: R,
}

/// What a member of the suite answers to its peers.
pub fn answer(call: PeerCall) -> Result<PeerAnswer, CallFailed> {
    match call {
        PeerCall::Version => Ok(PeerAnswer::Version(versions())),
        PeerCall::Promote { id: MemberId(7), token: Some(token) } if token == "t.1" => {
            Ok(PeerAnswer::Promoted(vec![promoted()]))
        }
        PeerCall::Promote { id: MemberId(8), .. } => Err(CallFailed::NotLearner),
        PeerCall::Promote { id: MemberId(9), .. } => Err(CallFailed::NotReady),
        PeerCall::Promote { .. } => Err(CallFailed::NotFound),
        PeerCall::KeepAlive(request) => match request.id {
            1 => Err(CallFailed::NotFound),
            2 => Err(CallFailed::TimedOut),
            3 => Err(CallFailed::Refused),
            id => Ok(PeerAnswer::KeepAlive(pb::LeaseKeepAliveResponse { header: None, id, ttl: 7 })),
        },
        PeerCall::TimeToLive(request) => match request.lease_time_to_live_request {
            None => Err(CallFailed::NotFound),
            Some(asked) => Ok(PeerAnswer::TimeToLive(time_to_live(&asked))),
        },
    }
}

fn promoted() -> Member {
    Member {
        id: MemberId(7),
        name: "seven & <co>".into(),
        peer_urls: vec!["http://127.0.0.7:1".into(), "http://127.0.0.7:2".into()],
        client_urls: vec!["http://127.0.0.7:3".into()],
        is_learner: false,
    }
}

fn versions() -> Versions {
    Versions { server: "3.7.1".into(), cluster: "3.7.0".into(), storage: "3.6.0".into() }
}

fn time_to_live(asked: &pb::LeaseTimeToLiveRequest) -> leasepb::LeaseInternalResponse {
    let keys = (0..3_u8).map(|key| bytes::Bytes::from(vec![key, 0, 255])).collect();
    leasepb::LeaseInternalResponse {
        lease_time_to_live_response: Some(pb::LeaseTimeToLiveResponse {
            header: None,
            id: asked.id,
            ttl: -1,
            granted_ttl: i64::MAX,
            keys,
        }),
    }
}

/// What a member has heard, taken from its net by a task of its own.
#[derive(Clone, Default)]
pub(super) struct Heard(Arc<Mutex<Vec<Arrival>>>);

impl Heard {
    /// Listens until the runtime ends.
    pub(super) fn listen<R: Runtime>(rt: &R) -> Heard {
        let heard = Heard::default();
        let (listening, ear) = (heard.clone(), rt.clone());
        rt.spawn("conformance", async move {
            loop {
                let arrival = ear.net().recv().await;
                listening.lock().push(arrival);
            }
        });
        heard
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arrival>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn messages(&self) -> Vec<raftpb::Message> {
        let message = |arrival: &Arrival| match arrival {
            Arrival::Message(message) => Some(message.clone()),
            Arrival::Linked(_) | Arrival::Lost(_) | Arrival::Expelled(_) => None,
        };
        self.lock().iter().filter_map(message).collect()
    }

    /// What the last news of this peer said: whether it is linked.
    pub(super) fn is_linked(&self, peer: MemberId) -> bool {
        let news = |arrival: &Arrival| match arrival {
            Arrival::Linked(id) if *id == peer => Some(true),
            Arrival::Lost(id) if *id == peer => Some(false),
            Arrival::Linked(_) | Arrival::Lost(_) | Arrival::Expelled(_) | Arrival::Message(_) => None,
        };
        self.lock().iter().rev().find_map(news) == Some(true)
    }
}

/// Everybody names everybody else and waits until all links stand.
pub(super) async fn introduce<R: Runtime>(group: &[Stand<R>]) -> Vec<Heard> {
    let heard: Vec<Heard> = group.iter().map(|stand| Heard::listen(&stand.rt)).collect();
    for stand in group {
        stand.rt.net().set_peers(&others(group, stand.member.id), &[]);
    }
    for (stand, heard) in group.iter().zip(&heard) {
        for peer in others(group, stand.member.id) {
            until(&stand.rt, "peers that were named are linked", || heard.is_linked(peer.id)).await;
        }
    }
    heard
}

fn others<R>(group: &[Stand<R>], me: MemberId) -> Vec<Member> {
    group.iter().map(|stand| stand.member.clone()).filter(|member| member.id != me).collect()
}

/// Needs at least two members that have no peers yet.
pub async fn links<R: Runtime>(group: &[Stand<R>]) {
    let heard = introduce(group).await;
    let [one, two, ..] = group else { panic!("links need two members") };
    let (ours, theirs) = (&heard[0], &heard[1]);
    let (me, peer, net) = (one.member.id, two.member.id, one.rt.net());
    let marked = |to: MemberId, mark: u64| raftpb::Message {
        r#type: raftpb::MessageType::MsgHeartbeat.into(),
        from: me.0,
        to: to.0,
        commit: mark,
        ..raftpb::Message::default()
    };
    let has = |heard: &Heard, mark: u64| heard.messages().iter().any(|message| message.commit == mark);

    // To strangers and to oneself.
    let strangers = [MemberId(0), MemberId(u64::MAX), MemberId(0xdead), me];
    strangers.into_iter().for_each(|stranger| net.send(marked(stranger, 1)));
    // A peer that is named no more.
    let rest: Vec<Member> = others(group, me).into_iter().filter(|member| member.id != peer).collect();
    net.set_peers(&rest, &[]);
    until(&one.rt, "a peer that is named no more is lost", || !ours.is_linked(peer)).await;
    for _ in 0..20 {
        net.send(marked(peer, 2));
        assert_eq!(net.call(peer, PeerCall::Version).await, Err(CallFailed::Unreachable), "no peer any more");
    }
    one.rt.sleep_until(one.rt.now() + Span::millis(300)).await;
    for heard in &heard {
        assert!(!has(heard, 1) && !has(heard, 2), "a message to somebody who is no peer has arrived");
    }
    // And named again.
    net.set_peers(&others(group, me), &[]);
    until(&one.rt, "a peer that is named again is linked again", || ours.is_linked(peer)).await;
    until(&one.rt, "a peer that is named again is sent to", || {
        net.send(marked(peer, 3));
        has(theirs, 3)
    })
    .await;
    // Naming the same peers changes nothing.
    net.set_peers(&others(group, me), &[]);
    assert!(ours.is_linked(peer), "peers that stay peers stay linked");
}

/// Needs two members that know each other, as `links` leaves them.
pub async fn calls<R: Runtime>(group: &[Stand<R>]) {
    let [one, two, ..] = group else { panic!("calls need two members") };
    let ask = |call| insist(&one.rt, two.member.id, call);
    let keep_alive = |id| PeerCall::KeepAlive(pb::LeaseKeepAliveRequest { id });
    let time_left =
        |asked| PeerCall::TimeToLive(leasepb::LeaseInternalRequest { lease_time_to_live_request: asked });
    let promote =
        |id, token: Option<&str>| PeerCall::Promote { id: MemberId(id), token: token.map(str::to_string) };
    let asked = pb::LeaseTimeToLiveRequest { id: i64::MIN, keys: true };
    for call in [
        PeerCall::Version,
        keep_alive(0),
        keep_alive(1),
        keep_alive(2),
        keep_alive(3),
        keep_alive(i64::MAX),
        time_left(None),
        time_left(Some(pb::LeaseTimeToLiveRequest::default())),
        time_left(Some(asked)),
        promote(7, Some("t.1")),
        promote(7, None),
        promote(8, None),
        promote(9, None),
        promote(u64::MAX, None),
    ] {
        assert_eq!(ask(call.clone()).await, answer(call.clone()), "{call:?}");
    }
    for stranger in [MemberId(0), MemberId(0xdead), one.member.id] {
        let said = one.rt.net().call(stranger, PeerCall::Version).await;
        assert_eq!(said, Err(CallFailed::Unreachable), "{stranger} is no peer");
    }
}

/// Asks until something comes back: any single question may be lost.
async fn insist<R: Runtime>(rt: &R, to: MemberId, call: PeerCall) -> Result<PeerAnswer, CallFailed> {
    let deadline = rt.now() + PATIENCE;
    loop {
        let answer = rt.net().call(to, call.clone()).await;
        if answer != Err(CallFailed::Unreachable) || rt.now() >= deadline {
            return answer;
        }
    }
}

/// The second member's process has ended: questions to it fail, within seconds, and messages to it are lost without a
/// word.
pub async fn unreachable<R: Runtime>(group: &[Stand<R>]) {
    let [one, two, ..] = group else { panic!("calls need two members") };
    let begun = one.rt.now();
    let said = one.rt.net().call(two.member.id, PeerCall::Version).await;
    assert_eq!(said, Err(CallFailed::Unreachable), "nobody is there");
    assert!(one.rt.now() < begun + PATIENCE, "a question to nobody takes too long");
    for term in 0..1_000 {
        let (from, to) = (one.member.id.0, two.member.id.0);
        one.rt.net().send(raftpb::Message { from, to, term, ..raftpb::Message::default() });
    }
}
