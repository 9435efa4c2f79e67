//! A small world for the driver's own tests: one thread, time that jumps to the next event, disks and links in memory.
//! The simulator has the large one, with faults drawn from a seed; here a test says what happens.
use bytes::Bytes;
use detcd_core::{ClusterId, Config, Member, MemberId, Moment, Span};
use detcd_driver::{
    Arrival, CallFailed, Disk, Fault, File, Inbound, Level, Net, Node, PeerAnswer, PeerCall, Runtime,
    StreamFailed, pipe::PipeOut, start,
};
use detcd_proto::raftpb;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    future::{Future, poll_fn},
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Wake, Waker},
};

const LATENCY: Span = Span::millis(1);
const SYNC: Span = Span::millis(1);
const HASHING: Span = Span::millis(50);

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Clone, Default)]
pub struct World(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    now: Moment,
    seeds: u64,
    tasks: BTreeMap<u64, (Option<Life>, Option<Task>)>,
    tasks_made: u64,
    ready: Arc<Mutex<VecDeque<u64>>>,
    sleepers: BTreeMap<(Moment, u64), Waker>,
    sleeps: u64,
    lives: BTreeMap<MemberId, u64>,
    inboxes: BTreeMap<MemberId, Inbox>,
    disks: BTreeMap<MemberId, Names>,
    nodes: BTreeMap<MemberId, Node<Machine>>,
    /// Members whose links are cut.
    apart: BTreeSet<MemberId>,
    failing_syncs: BTreeSet<MemberId>,
    /// The next one fails, and what it was to save is not saved by a later one.
    #[cfg(feature = "plants")]
    failing_sync: BTreeSet<MemberId>,
    pub halted: Vec<(MemberId, String)>,
    pub lines: Vec<String>,
}

/// One life of a member: what belongs to an earlier one is dead.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Life(MemberId, u64);

#[derive(Default)]
struct Inbox {
    arrivals: VecDeque<Arrival>,
    reader: Option<Waker>,
}

#[derive(Default)]
struct Names {
    live: BTreeMap<String, Inode>,
    durable: BTreeMap<String, Inode>,
}

#[derive(Clone, Default)]
struct Inode(Arc<Mutex<Content>>);

#[derive(Default)]
struct Content {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// Up to here a sync failed.
    dropped: usize,
}

struct Woken {
    task: u64,
    ready: Arc<Mutex<VecDeque<u64>>>,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.ready.lock().unwrap().push_back(self.task);
    }
}

impl World {
    pub fn now(&self) -> Moment {
        self.lock().now
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    fn spawn(&self, life: Option<Life>, task: impl Future<Output = ()> + Send + 'static) {
        let mut inner = self.lock();
        if life.is_some_and(|life| !inner.is_alive(life)) {
            return;
        }
        inner.tasks_made += 1;
        let id = inner.tasks_made;
        inner.tasks.insert(id, (life, Some(Box::pin(task))));
        inner.ready.lock().unwrap().push_back(id);
    }

    /// Runs the world until this is done.
    pub fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        let slot = Arc::new(Mutex::new(None));
        let result = slot.clone();
        self.spawn(None, async move {
            let done = work.await;
            *result.lock().unwrap() = Some(done);
        });
        for _ in 0..50_000_000_u64 {
            if let Some(done) = slot.lock().unwrap().take() {
                return done;
            }
            self.step();
        }
        panic!("the world goes on and on");
    }

    pub fn sleep(&self, span: Span) {
        let world = self.clone();
        let until = self.now() + span;
        self.run(async move { world.sleep_until(until).await });
    }

    async fn sleep_until(&self, at: Moment) {
        let key = {
            let mut inner = self.lock();
            inner.sleeps += 1;
            (at, inner.sleeps)
        };
        poll_fn(|cx| {
            let mut inner = self.lock();
            if inner.now >= at {
                return Poll::Ready(());
            }
            inner.sleepers.insert(key, cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    fn step(&self) {
        let ready = self.lock().ready.clone();
        let next = ready.lock().unwrap().pop_front();
        let Some(id) = next else {
            let mut inner = self.lock();
            let ((at, _), waker) = inner.sleepers.pop_first().expect("nothing will ever happen again");
            inner.now = inner.now.max(at);
            drop(inner);
            return waker.wake();
        };
        let task = self.lock().tasks.get_mut(&id).and_then(|(_, task)| task.take());
        let Some(mut task) = task else { return };
        let waker = Waker::from(Arc::new(Woken { task: id, ready }));
        let done = task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        let mut inner = self.lock();
        match inner.tasks.get_mut(&id) {
            Some((_, slot)) if !done => *slot = Some(task),
            _ => {
                inner.tasks.remove(&id);
                drop(inner);
                drop(task);
            }
        }
    }

    pub fn start(&self, config: &Config) -> Result<Node<Machine>, String> {
        let id = config.me.id;
        let life = {
            let mut inner = self.lock();
            let life = inner.lives.entry(id).or_default();
            *life += 1;
            Life(id, *life)
        };
        let machine = Machine { world: self.clone(), life, disk: Platter { world: self.clone(), life } };
        let config = config.clone();
        let node = self.run(async move { start(machine, config).await }).map_err(|fault| fault.0)?;
        self.lock().nodes.insert(id, node.clone());
        Ok(node)
    }

    /// The process ends where it stands; what it wrote stays with the machine.
    pub fn kill(&self, id: MemberId) {
        let mut inner = self.lock();
        *inner.lives.entry(id).or_default() += 1;
        inner.nodes.remove(&id);
        inner.inboxes.remove(&id);
        let dead: Vec<u64> = inner
            .tasks
            .iter()
            .filter(|(_, (life, _))| life.is_some_and(|Life(member, _)| member == id))
            .map(|(task, _)| *task)
            .collect();
        let dead: Vec<_> = dead.into_iter().map(|task| inner.tasks.remove(&task)).collect();
        drop(inner);
        drop(dead);
    }

    /// As `kill`, and everything that was not synced is gone.
    pub fn cut_power(&self, id: MemberId) {
        self.kill(id);
        let mut inner = self.lock();
        let names = inner.disks.entry(id).or_default();
        names.live = names.durable.clone();
        for inode in names.live.values() {
            let mut content = inode.0.lock().unwrap();
            content.live = content.durable.clone();
        }
    }

    pub fn set_apart(&self, id: MemberId, apart: bool) {
        let mut inner = self.lock();
        if apart {
            inner.apart.insert(id);
        } else {
            inner.apart.remove(&id);
        }
    }

    pub fn fail_syncs(&self, id: MemberId) {
        self.lock().failing_syncs.insert(id);
    }

    #[cfg(feature = "plants")]
    pub fn fail_next_sync(&self, id: MemberId) {
        self.lock().failing_sync.insert(id);
    }

    pub fn halted(&self) -> Vec<(MemberId, String)> {
        self.lock().halted.clone()
    }

    pub fn lines(&self) -> Vec<String> {
        self.lock().lines.clone()
    }

    pub fn files(&self, id: MemberId) -> Vec<String> {
        self.lock().disks.entry(id).or_default().live.keys().cloned().collect()
    }

    /// Changes a file behind the member's back.
    pub fn edit(&self, id: MemberId, name: &str, edit: impl FnOnce(&mut Vec<u8>)) {
        let mut inner = self.lock();
        let inode = inner.disks.entry(id).or_default().live.get(name).expect("a file of this name").clone();
        let mut content = inode.0.lock().unwrap();
        edit(&mut content.live);
        content.durable = content.live.clone();
    }
}

impl Inner {
    fn is_alive(&self, life: Life) -> bool {
        self.lives.get(&life.0) == Some(&life.1)
    }

    fn arrive(&mut self, to: MemberId, arrival: Arrival) {
        let inbox = self.inboxes.entry(to).or_default();
        inbox.arrivals.push_back(arrival);
        if let Some(reader) = inbox.reader.take() {
            reader.wake();
        }
    }
}

/// What a member runs on, in one of its lives.
#[derive(Clone)]
pub struct Machine {
    world: World,
    life: Life,
    disk: Platter,
}

impl Runtime for Machine {
    type Disk = Platter;
    type Net = Machine;

    fn now(&self) -> Moment {
        self.world.now()
    }
    fn wall_nanos(&self) -> u64 {
        self.world.now().0
    }
    fn entropy(&self) -> u64 {
        let mut inner = self.world.lock();
        inner.seeds += 1;
        inner.seeds.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
    fn secret(&self) -> [u8; 32] {
        [self.entropy() as u8; 32]
    }
    async fn hash_password(&self, password: String, _cost: u32) -> String {
        self.world.sleep_until(self.world.now() + HASHING).await;
        format!("hash of {password}")
    }
    async fn check_password(&self, password: String, hash: Bytes) -> bool {
        self.hash_password(password, 0).await.as_bytes() == hash
    }
    async fn sleep_until(&self, at: Moment) {
        self.world.sleep_until(at).await;
    }
    fn spawn(&self, _name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.world.spawn(Some(self.life), task);
    }
    fn spawn_pinned(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn(name, task);
    }
    fn disk(&self) -> &Platter {
        &self.disk
    }
    fn net(&self) -> &Machine {
        self
    }
    fn log(&self, level: Level, line: std::fmt::Arguments<'_>) {
        let mut inner = self.world.lock();
        let line = format!("{} {} {level:?} {line}", inner.now.0 / 1_000_000, self.life.0);
        inner.lines.push(line);
    }
    async fn halt(&self, why: Fault) {
        self.world.lock().halted.push((self.life.0, why.0));
        std::future::pending().await
    }
}

impl Net for Machine {
    fn set_peers(&self, peers: &[Member], _: &[MemberId]) {
        let mut inner = self.world.lock();
        for peer in peers {
            inner.arrive(self.life.0, Arrival::Linked(peer.id));
        }
    }

    fn send(&self, message: raftpb::Message) {
        let world = self.world.clone();
        self.world.spawn(None, async move {
            world.sleep_until(world.now() + LATENCY).await;
            let mut inner = world.lock();
            let (from, to) = (MemberId(message.from), MemberId(message.to));
            if !inner.apart.contains(&from) && !inner.apart.contains(&to) && inner.nodes.contains_key(&to) {
                inner.arrive(to, Arrival::Message(message));
            }
        });
    }

    async fn recv(&self) -> Arrival {
        poll_fn(|cx| {
            let mut inner = self.world.lock();
            let inbox = inner.inboxes.entry(self.life.0).or_default();
            match inbox.arrivals.pop_front() {
                Some(arrival) => Poll::Ready(arrival),
                None => {
                    inbox.reader = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    async fn call(&self, to: MemberId, call: PeerCall) -> Result<PeerAnswer, CallFailed> {
        self.world.sleep_until(self.world.now() + LATENCY).await;
        let node = {
            let inner = self.world.lock();
            let cut = inner.apart.contains(&to) || inner.apart.contains(&self.life.0);
            if cut { None } else { inner.nodes.get(&to).cloned() }
        };
        match node {
            Some(node) => node.peer(call).await,
            None => Err(CallFailed::Unreachable),
        }
    }

    async fn stream_to(&self, _: raftpb::Message, _: PipeOut) -> Result<(), StreamFailed> {
        Err(StreamFailed::Broken)
    }

    async fn next_stream(&self) -> Inbound {
        std::future::pending().await
    }
}

#[derive(Clone)]
pub struct Platter {
    world: World,
    life: Life,
}

impl Platter {
    fn names<T>(&self, act: impl FnOnce(&mut Names) -> T) -> io::Result<T> {
        let mut inner = self.world.lock();
        assert!(inner.is_alive(self.life), "a dead member touches its disk");
        Ok(act(inner.disks.entry(self.life.0).or_default()))
    }
}

impl Disk for Platter {
    type File = OpenFile;

    async fn open(&self, name: &str) -> io::Result<OpenFile> {
        let inode = self.names(|names| names.live.entry(name.to_string()).or_default().clone())?;
        Ok(OpenFile { disk: self.clone(), inode })
    }

    async fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let prefix = format!("{folder}/");
        self.names(|names| {
            names.live.keys().filter_map(|name| name.strip_prefix(&prefix)).map(String::from).collect()
        })
    }

    async fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.names(|names| {
            let inode = names.live.remove(from).expect("a file to rename");
            names.live.insert(to.to_string(), inode);
        })
    }

    async fn remove(&self, name: &str) -> io::Result<()> {
        self.names(|names| names.live.remove(name)).map(drop)
    }

    async fn sync_dir(&self, folder: &str) -> io::Result<()> {
        self.names(|names| {
            let inside = |name: &String| name.rsplit_once('/').map_or("", |(folder, _)| folder) == folder;
            names.durable.retain(|name, _| !inside(name));
            let live = names.live.iter().filter(|(name, _)| inside(name));
            let live: Vec<_> = live.map(|(name, inode)| (name.clone(), inode.clone())).collect();
            names.durable.extend(live);
        })
    }
}

pub struct OpenFile {
    disk: Platter,
    inode: Inode,
}

impl OpenFile {
    fn content<T>(&self, act: impl FnOnce(&mut Content) -> T) -> io::Result<T> {
        self.disk.names(|_| ())?;
        Ok(act(&mut self.inode.0.lock().unwrap()))
    }
}

impl File for OpenFile {
    async fn len(&mut self) -> io::Result<u64> {
        self.content(|content| content.live.len() as u64)
    }
    async fn read_at(&mut self, offset: u64, len: usize) -> io::Result<Bytes> {
        let bytes = self.content(|content| content.live.clone())?;
        let from = (offset as usize).min(bytes.len());
        Ok(Bytes::copy_from_slice(&bytes[from..(from + len).min(bytes.len())]))
    }
    async fn append(&mut self, bytes: Bytes) -> io::Result<()> {
        self.content(|content| content.live.extend_from_slice(&bytes))
    }
    async fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.content(|content| content.live.resize(len as usize, 0))
    }
    async fn sync(&mut self) -> io::Result<()> {
        let world = &self.disk.world;
        world.sleep_until(world.now() + SYNC).await;
        if world.lock().failing_syncs.contains(&self.disk.life.0) {
            return Err(io::Error::other("the disk does not sync"));
        }
        #[cfg(feature = "plants")]
        if world.lock().failing_sync.remove(&self.disk.life.0) {
            // The pages count as clean from here on, so the next sync has nothing to do.
            self.content(|content| content.dropped = content.live.len())?;
            return Err(io::Error::other("the disk did not sync"));
        }
        self.content(|content| {
            if content.live.len() > content.dropped {
                content.durable = content.live.clone();
            }
        })
    }
}

/// The configurations of a new cluster of this many members.
pub fn cluster(size: u64) -> Vec<Config> {
    let member = |number: u64| {
        let peer_urls = vec![format!("http://127.0.0.1:{}", 2380 + number * 100)];
        Member {
            id: MemberId::of_bootstrap(&peer_urls, "test"),
            name: format!("m{number}"),
            peer_urls,
            client_urls: vec![],
            is_learner: false,
        }
    };
    let members: Vec<Member> = (0..size).map(member).collect();
    let cluster_id = ClusterId::of_members(members.iter().map(|member| member.id));
    let config = |(number, member): (usize, &Member)| {
        let client_urls = vec![format!("http://127.0.0.1:{}", 2379 + number * 100)];
        Config::new(Member { client_urls, ..member.clone() }, cluster_id, members.clone())
    };
    members.iter().enumerate().map(config).collect()
}
