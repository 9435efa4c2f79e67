//! A client that watches: on one member until that breaks, then on another from where it was.
use crate::{
    cluster::Cluster,
    judge::{Watched, queues},
    probes,
};
use detcd_proto::etcdserverpb::{
    WatchCreateRequest, WatchProgressRequest, WatchRequest, WatchResponse, watch_create_request::FilterType,
    watch_request::RequestUnion,
};
use detcd_runtime_sim::{Answer, Dice, Event, Latency, Slot, answer};
use serde::{Deserialize, Serialize};
use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// Where a watcher begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    #[default]
    Now,
    /// So many revisions back, which compaction may have passed, though not before the first.
    Past(i64),
    /// So many revisions to come.
    Future(i64),
}

/// What a watcher wants to hear of, and how it listens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    pub key: Vec<u8>,
    pub range_end: Vec<u8>,
    pub no_puts: bool,
    pub no_deletes: bool,
    pub prev_kv: bool,
    #[serde(default)]
    pub reading: Reading,
    pub start: Start,
    /// When it begins, in nanoseconds.
    pub after_ns: u64,
    /// Large replies may come in pieces.
    pub fragment: bool,
    /// It is told now and then how far the store is.
    pub progress_notify: bool,
    /// On the stream of the watcher before it.
    pub joins: bool,
}

/// How a watcher takes what it is sent. One that reads slowly fills its stream, and the member must neither wait for it
/// nor forget anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reading {
    #[default]
    AtOnce,
    /// From one reply to the next, in nanoseconds.
    Slowly(u64),
    /// Not at all for a while, after every so many replies.
    InGulps { replies: u64, pause_ns: u64 },
}

impl Reading {
    fn draw(dice: &mut Dice) -> Reading {
        match dice.weighted(&[60, 20, 20]) {
            0 => Reading::AtOnce,
            1 => Reading::Slowly(dice.between(1, 60) * 1_000_000),
            _ => Reading::InGulps {
                replies: dice.between(1, 30),
                pause_ns: dice.between(100, 2_000) * 1_000_000,
            },
        }
    }

    /// How long the watcher waits before its n-th reply, from 1.
    fn pause_ns(self, n: u64) -> u64 {
        match self {
            Reading::AtOnce => 0,
            Reading::Slowly(ns) => ns,
            Reading::InGulps { replies, pause_ns } => {
                if n.is_multiple_of(replies.max(1)) {
                    pause_ns
                } else {
                    0
                }
            }
        }
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reading::AtOnce => f.write_str("reads at once"),
            Reading::Slowly(ns) => write!(f, "reads a reply every {} ms", ns / 1_000_000),
            Reading::InGulps { replies, pause_ns } => {
                write!(f, "rests for {} ms after every {replies} replies", pause_ns / 1_000_000)
            }
        }
    }
}

impl Wish {
    pub fn draw(dice: &mut Dice, storm_ns: u64) -> Wish {
        let narrow = dice.permille(200);
        Wish {
            key: if narrow { b"k0".to_vec() } else { b"k".to_vec() },
            range_end: if narrow { Vec::new() } else { b"l".to_vec() },
            no_puts: dice.permille(100),
            no_deletes: dice.permille(100),
            prev_kv: dice.coin(),
            reading: Reading::draw(dice),
            start: match dice.weighted(&[5, 3, 2]) {
                0 => Start::Now,
                1 => Start::Past(*dice.pick(&[1, 10, 100, i64::MAX])),
                _ => Start::Future(dice.between(1, 50) as i64),
            },
            after_ns: if dice.coin() { dice.below(storm_ns) } else { 0 },
            fragment: dice.coin(),
            progress_notify: dice.coin(),
            joins: dice.permille(300),
        }
    }

    /// Whether an event of this kind at this key is wished for.
    pub fn wants(&self, key: &[u8], is_delete: bool) -> bool {
        let inside = if self.range_end.is_empty() {
            key == self.key
        } else {
            key >= &self.key[..] && key < &self.range_end[..]
        };
        inside && !(if is_delete { self.no_deletes } else { self.no_puts })
    }

    fn create(&self, watch_id: i64, start_revision: i64) -> WatchRequest {
        let mut filters = Vec::new();
        if self.no_puts {
            filters.push(FilterType::Noput.into());
        }
        if self.no_deletes {
            filters.push(FilterType::Nodelete.into());
        }
        request(RequestUnion::CreateRequest(WatchCreateRequest {
            key: self.key.clone().into(),
            range_end: self.range_end.clone().into(),
            start_revision,
            filters,
            prev_kv: self.prev_kv,
            fragment: self.fragment,
            progress_notify: self.progress_notify,
            watch_id,
        }))
    }
}

fn request(union: RequestUnion) -> WatchRequest {
    WatchRequest { request_union: Some(union) }
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.key.escape_ascii())?;
        if !self.range_end.is_empty() {
            write!(f, " up to {}", self.range_end.escape_ascii())?;
        }
        match self.start {
            Start::Now => {}
            Start::Past(i64::MAX) => write!(f, ", from the first revision on")?,
            Start::Past(back) => write!(f, ", from {back} revisions back")?,
            Start::Future(ahead) => write!(f, ", from {ahead} revisions ahead")?,
        }
        if self.after_ns > 0 {
            write!(f, ", begun after {} ms", self.after_ns / 1_000_000)?;
        }
        for (set, text) in [
            (self.no_puts, "without puts"),
            (self.no_deletes, "without deletes"),
            (self.prev_kv, "with the previous pair"),
            (self.fragment, "in pieces"),
            (self.progress_notify, "with notices of progress"),
            (self.joins, "on the stream before"),
        ] {
            if set {
                write!(f, ", {text}")?;
            }
        }
        Ok(())
    }
}

/// The client's end of one stream: replies in the order in which they were sent, each after its way.
type Line = Arc<Mutex<VecDeque<WatchResponse>>>;

const REST_PIECE_NS: u64 = 50_000_000;

/// One client with one stream at a time, and the watchers on it.
pub struct Watcher {
    /// Of the first watcher; the others follow.
    pub number: usize,
    pub cluster: Cluster,
    pub dice: Dice,
    pub watched: Vec<Watched>,
}

impl Watcher {
    /// Watches until told to stop.
    pub async fn work(mut self, stopped: impl Fn() -> bool) {
        let after = self.watched.iter().map(|watched| watched.wish().after_ns).max().unwrap_or(0);
        self.cluster.stage().nap(after).await;
        while !stopped() {
            let member = self.dice.index(self.cluster.len());
            if self.cluster.living().contains(&member) {
                self.stream(member, &stopped).await;
            }
            let pause = self.dice.between(1_000_000, 60_000_000);
            self.cluster.stage().nap(pause).await;
        }
    }

    /// One stream to one member, until it breaks or the client has had enough of it.
    async fn stream(&mut self, member: Slot, stopped: &impl Fn() -> bool) {
        let stage = self.cluster.stage().clone();
        let Some((node, life)) = self.cluster.node(member) else { return };
        let Ok((requests, mut replies)) = node.watch(false) else { return };
        let keyspace = node.latest().view.keyspace.clone();
        drop(node);
        let line = Line::default();
        let (ended, mut end) = answer();
        let mut creates = Vec::new();
        for (id, watched) in (1..).zip(&self.watched) {
            let start = watched.opened(stage.now(), member, keyspace.revision(), keyspace.compact_revision());
            self.note(format_args!("watch m{} from {start}", member + 1));
            creates.push(watched.wish().create(id, start));
        }
        let asks_progress = self.dice.permille(300);
        let (sent, home) = (line.clone(), stage.clone());
        let way = Latency::new(50, 300, 10, 10_000);
        let mut dice = Dice::split(self.dice.u64(), detcd_runtime_sim::Concern::Links, 1);
        // Asking has a task of its own: it may have to wait until answers are read.
        let asking = stage.clone();
        let pause = self.dice.between(5_000_000, 100_000_000);
        // The first question comes together with the watches, which may have much to catch up with.
        let mut rest = if self.dice.coin() { 0 } else { pause };
        stage.spawn_on(member, "watch-ask", async move {
            let mut sent = Ok(());
            for create in creates {
                sent = requests.send(create).await;
            }
            while sent.is_ok() && asks_progress {
                asking.nap(rest).await;
                rest = pause;
                let progress = request(RequestUnion::ProgressRequest(WatchProgressRequest {}));
                sent = requests.send(progress).await;
            }
        });
        let (number, watches) = (self.number, self.watched.len());
        let reading = self.watched.first().map_or(Reading::AtOnce, |watched| watched.wish().reading);
        let started = stage.spawn_on(member, "watch", async move {
            let (mut last_arrival, mut taken) = (0, 0);
            while let Ok(reply) = replies.next().await {
                taken += 1;
                let mut rest = reading.pause_ns(taken);
                // In short pieces: nobody reads slowly any more once everything has healed.
                while rest > 0 && !home.enter(|world| world.is_calm) {
                    let piece = rest.min(REST_PIECE_NS);
                    home.nap(piece).await;
                    rest -= piece;
                    if rest == 0 {
                        home.enter(|world| world.count("client: slow reader"));
                    }
                }
                let waiting = replies.waiting();
                let line = sent.clone();
                home.enter(|world| {
                    if let Some(text) = queues::stream_fault(waiting, watches) {
                        world.trouble("bounded-queues", format!("watcher {number}: {text}"));
                    }
                    let arrival = (world.now() + way.draw(&mut dice)).max(last_arrival + 1);
                    last_arrival = arrival;
                    world.after(arrival - world.now(), move |_| {
                        line.lock().unwrap_or_else(PoisonError::into_inner).push_back(reply);
                    });
                });
            }
            Answer::give(ended, ());
        });
        if !started {
            return;
        }
        let patience = self.dice.between(20_000_000, 3_000_000_000);
        let give_up_at = stage.now() + patience;
        loop {
            let broken = end.until(&stage, stage.now() + 15_000_000).await.is_some();
            loop {
                let reply = line.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some(reply) = reply else { break };
                self.note(format_args!("< {}", ShortReply(&reply)));
                for (id, watched) in (1..).zip(&self.watched) {
                    // Progress that was asked for is told to all of them.
                    if reply.watch_id != id && reply.watch_id != -1 {
                        continue;
                    }
                    watched.arrived(stage.now(), &reply);
                    stage.enter(|world| probes::reply_heard(&reply, world));
                    if let Some(what) = worth_counting(&reply) {
                        stage.enter(|world| world.count(what));
                    }
                    match watched.hear(&reply) {
                        Ok(true) => {}
                        // Cancelled: from here on a new stream is needed.
                        Ok(false) => return,
                        Err(text) => {
                            let number = self.number + id as usize - 1;
                            stage.enter(|world| world.trouble("watch", format!("watcher {number}: {text}")));
                            return;
                        }
                    }
                }
            }
            let dead = stage.enter(|world| {
                !world.is_up(member) || world.life_of(member) != life || world.is_forsaken(member)
            });
            let now = stage.now();
            if broken || dead || stopped() || (now >= give_up_at && !stage.enter(|world| world.is_calm)) {
                return;
            }
        }
    }

    fn note(&self, line: std::fmt::Arguments<'_>) {
        let text = line.to_string();
        let client = self.number;
        self.cluster.stage().enter(|world| world.record(&Event::Client { client, line: &text }));
    }
}

/// What of a reply shows that a run came to more than events.
fn worth_counting(reply: &WatchResponse) -> Option<&'static str> {
    if reply.canceled && reply.compact_revision > 0 {
        Some("client: watch cancelled as compacted")
    } else if reply.fragment {
        Some("client: watch reply in pieces")
    } else if reply.events.is_empty() && !reply.created && !reply.canceled {
        Some("client: watch progress heard")
    } else {
        None
    }
}

struct ShortReply<'a>(&'a WatchResponse);

impl fmt::Display for ShortReply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reply = self.0;
        let revision = reply.header.as_ref().map_or(0, |header| header.revision);
        let word = match (reply.created, reply.canceled) {
            (true, _) => "created",
            (_, true) => "cancelled",
            _ => "events",
        };
        write!(
            f,
            "{word} watch={} revision={revision} compacted={}",
            reply.watch_id, reply.compact_revision
        )?;
        for event in &reply.events {
            let at = event.kv.as_ref().map_or(0, |kv| kv.mod_revision);
            write!(f, " {}{at}", if event.r#type == 0 { "+" } else { "-" })?;
        }
        Ok(())
    }
}
