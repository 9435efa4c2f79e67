//! The driver's `Runtime` for one life of one simulated member.
use crate::{
    disk::SimDisk,
    event::{Event, Happening},
    net::SimNet,
    task::Sleep,
    world::{HandOver, Life, Serve, Slot, Stage, Stop},
};
use bytes::Bytes;
use detcd_core::Moment;
use detcd_driver::{Fault, Level, Runtime};
use std::{
    fmt,
    future::{Future, pending},
    sync::Arc,
};

/// Where simulated wall clocks stand when a run begins: 2026-01-01, in nanoseconds since 1970.
const WALL_ORIGIN_NS: u64 = 1_767_225_600_000_000_000;

/// How long a password's hash takes.
const HASHING_NS: u64 = 50_000_000;

#[derive(Clone)]
pub struct Sim {
    stage: Stage,
    life: Arc<Life>,
    disk: SimDisk,
    net: SimNet,
}

impl Sim {
    pub(crate) fn new(stage: Stage, life: Arc<Life>) -> Sim {
        let disk = SimDisk { stage: stage.clone(), life: life.clone() };
        let net = SimNet { stage: stage.clone(), life: life.clone() };
        Sim { stage, life, disk, net }
    }

    pub(crate) fn life(&self) -> Arc<Life> {
        self.life.clone()
    }

    pub fn member(&self) -> Slot {
        self.life.member
    }

    pub fn life_number(&self) -> u64 {
        self.life.number
    }

    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// The queue performs this world, and calls members directly.
    pub fn is_queued(&self) -> bool {
        self.stage.is_queued()
    }

    /// Answers the calls of peers from now on.
    pub fn serve_peers(&self, serve: Serve) {
        self.stage.enter(|world| world.serve(&self.life, serve));
    }
}

impl Sim {
    /// Ends in good order, from now on, when an operator asks for it.
    pub fn stop_by(&self, stop: Stop) {
        self.stage.enter(|world| world.stop_by(&self.life, stop));
    }

    /// The process ends by itself.
    pub fn end(&self, counted: &'static str) {
        self.stage.enter(|world| world.ended(&self.life, counted));
    }

    /// Hands the lead over, from now on, when an operator asks for it.
    pub fn hand_over_by(&self, hand_over: HandOver) {
        self.stage.enter(|world| world.hand_over_by(&self.life, hand_over));
    }
}

impl Runtime for Sim {
    type Disk = SimDisk;
    type Net = SimNet;

    fn now(&self) -> Moment {
        let (now, spins) = self.stage.enter(|world| {
            let clock = world.clock_of(self.life.member);
            (clock.read(world.now()), world.looks_at_clock())
        });
        // No time passes while a task runs: one that waits for it without letting go waits for ever, and would take
        // the whole run with it.
        assert!(!spins, "a task spins: it looks at the clock again and again and never waits");
        now
    }

    fn wall_nanos(&self) -> u64 {
        self.stage.enter(|world| WALL_ORIGIN_NS + world.clock_of(self.life.member).wall_ns(world.now()))
    }

    fn entropy(&self) -> u64 {
        self.stage.enter(|world| world.draw_entropy())
    }

    fn secret(&self) -> [u8; 32] {
        self.stage.enter(|world| world.draw_secret())
    }

    async fn hash_password(&self, password: String, cost: u32) -> String {
        self.stage.nap(HASHING_NS).await;
        // No hash at all: nobody here attacks one, and real ones take long by intent.
        format!("sim${cost}${password}")
    }

    async fn check_password(&self, password: String, hash: Bytes) -> bool {
        self.stage.nap(HASHING_NS).await;
        let of = |hash: &[u8]| hash.splitn(3, |byte| *byte == b'$').nth(2).map(<[u8]>::to_vec);
        of(&hash).is_some_and(|of| of == password.as_bytes())
    }

    async fn sleep_until(&self, at: Moment) {
        Sleep::new(self.stage.clone(), self.life.member, at).await;
    }

    fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.stage.spawn_in(&self.life, name, task);
    }

    fn spawn_pinned(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.stage.spawn_in(&self.life, name, task);
    }

    fn disk(&self) -> &SimDisk {
        &self.disk
    }

    fn net(&self) -> &SimNet {
        &self.net
    }

    fn log(&self, level: Level, line: fmt::Arguments<'_>) {
        // Formatted before the world is entered: the arguments may do anything.
        let line = format!("{level:?} {line}");
        self.stage.enter(|world| {
            if world.is_alive(&self.life) {
                let member = self.life.member;
                world.record(&Event::Note { member, line: &line });
                world.observe(&Happening::Noted { member, line: &line });
            }
        });
    }

    async fn halt(&self, why: Fault) {
        self.stage.enter(|world| world.halt(&self.life, &why.0));
        pending().await
    }
}
