//! The driver's [`Runtime`] on a real machine.
use crate::{
    clock::{self, Clock},
    disk::DataDir,
    net::Net,
    passwords::Hashers,
    threads::{self, Reactors},
};
use bytes::Bytes;
use detcd_core::Moment;
use detcd_driver::{Fault, Level, Runtime};
use std::{fmt, future::Future, hash::BuildHasher as _, sync::Arc};

/// Clock, disk, links, threads. Cheap to clone.
#[derive(Clone)]
pub struct Tokio(Arc<Parts>);

struct Parts {
    clock: Clock,
    disk: DataDir,
    net: Net,
    reactors: Arc<Reactors>,
    hashers: Hashers,
}

impl Tokio {
    pub fn new(disk: DataDir, net: Net, reactors: Arc<Reactors>) -> Tokio {
        Tokio(Arc::new(Parts { clock: Clock::start(), disk, net, reactors, hashers: Hashers::default() }))
    }

    pub fn reactors(&self) -> &Reactors {
        &self.0.reactors
    }
}

impl Runtime for Tokio {
    type Disk = DataDir;
    type Net = Net;

    fn now(&self) -> Moment {
        self.0.clock.now()
    }

    fn wall_nanos(&self) -> u64 {
        clock::wall_nanos()
    }

    fn entropy(&self) -> u64 {
        // The standard library keys its hashers from the system's generator, anew for each.
        std::collections::hash_map::RandomState::new().hash_one(clock::wall_nanos())
    }

    fn secret(&self) -> [u8; 32] {
        let mut secret = [0; 32];
        if let Err(error) = getrandom::fill(&mut secret) {
            end(&Fault(format!("the system gives no random bytes: {error}")));
        }
        secret
    }

    async fn hash_password(&self, password: String, cost: u32) -> String {
        self.0.hashers.hash(password, cost).await
    }

    async fn check_password(&self, password: String, hash: Bytes) -> bool {
        self.0.hashers.check(password, hash).await
    }

    async fn sleep_until(&self, at: Moment) {
        tokio::time::sleep_until(self.0.clock.instant(at).into()).await;
    }

    fn spawn(&self, _name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.0.reactors.pick().spawn(task);
    }

    fn spawn_pinned(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        if let Err(error) = threads::pinned(name, task) {
            end(&Fault(format!("cannot start the thread {name}: {error}")));
        }
    }

    fn disk(&self) -> &DataDir {
        &self.0.disk
    }

    fn net(&self) -> &Net {
        &self.0.net
    }

    fn log(&self, level: Level, line: fmt::Arguments<'_>) {
        log(level, line);
    }

    async fn halt(&self, why: Fault) {
        end(&why)
    }
}

/// The process cannot go on.
fn end(why: &Fault) -> ! {
    tracing::error!(fatal = true, "{}", why.0);
    std::process::exit(1);
}

pub fn log(level: Level, line: fmt::Arguments<'_>) {
    match level {
        Level::Debug => tracing::debug!("{line}"),
        Level::Info => tracing::info!("{line}"),
        Level::Warn => tracing::warn!("{line}"),
        Level::Error => tracing::error!("{line}"),
    }
}
