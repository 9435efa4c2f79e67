//! What goes wrong, and when. Two kinds: strikes fall at a time, traps wait for a moment.
//!
//! Each file is one kind of trouble. Each says what it does, how to undo it, and how it is drawn.
mod aimed;
mod crash;
mod failing_disk;
mod partition;
mod pause;
mod power;
mod restart;
mod slow_disk;
mod weather;

pub use aimed::{Supervisor, Trap, Traps};

use crate::cluster::Cluster;
use detcd_runtime_sim::{Dice, Event, Slot, World};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What every kind of trouble can do. Shown, it tells its particulars without its name.
trait Kind: fmt::Display {
    fn name(&self) -> &'static str;
    /// Whom it names.
    fn members(&self) -> Vec<Slot>;
    fn begin(&self, world: &mut World);
    /// Takes back what `begin` did; nothing else.
    fn end(&self, world: &mut World);
}

/// One trouble, with its particulars drawn: plain data, so that a plan can be written down and made smaller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trouble {
    Crash(crash::Crash),
    PowerLoss(power::PowerLoss),
    Pause(pause::Pause),
    Restart(restart::Restart),
    Partition(partition::Partition),
    Weather(weather::Burst),
    SlowDisk(slow_disk::Slow),
    StuckDisk(slow_disk::Stuck),
    FailingSyncs(failing_disk::FailingSyncs),
    FailingWrites(failing_disk::FailingWrites),
}

impl Trouble {
    fn kind(&self) -> &dyn Kind {
        match self {
            Trouble::Crash(kind) => kind,
            Trouble::PowerLoss(kind) => kind,
            Trouble::Pause(kind) => kind,
            Trouble::Restart(kind) => kind,
            Trouble::Partition(kind) => kind,
            Trouble::Weather(kind) => kind,
            Trouble::SlowDisk(kind) => kind,
            Trouble::StuckDisk(kind) => kind,
            Trouble::FailingSyncs(kind) => kind,
            Trouble::FailingWrites(kind) => kind,
        }
    }

    /// The name under which it is counted.
    pub fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// Whom it names; a cluster without them cannot have this trouble.
    pub fn members(&self) -> Vec<Slot> {
        self.kind().members()
    }

    pub fn begin(&self, world: &mut World) {
        self.kind().begin(world);
    }

    /// Takes back what `begin` did; nothing else.
    pub fn end(&self, world: &mut World) {
        self.kind().end(world);
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind().fmt(f)
    }
}

/// Trouble from one time to another, in nanoseconds since the run began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strike {
    pub at_ns: u64,
    pub lasting_ns: u64,
    pub trouble: Trouble,
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, lasting) = (self.at_ns / 1_000_000, self.lasting_ns / 1_000_000);
        write!(f, "at {at} ms for {lasting} ms: {}: {}", self.trouble.name(), self.trouble)
    }
}

/// Members by the names they have in a transcript.
struct Who<'a>(&'a [Slot]);

impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, slot) in self.0.iter().enumerate() {
            write!(f, "{}m{}", if i == 0 { "" } else { " " }, slot + 1)?;
        }
        Ok(())
    }
}

/// How a kind of trouble is drawn for a cluster of so many members.
type Draw = fn(&mut Dice, usize) -> Trouble;

/// Every kind, and whether it makes sense for one member alone.
const KINDS: [(Draw, bool); 16] = [
    (crash::one, true),
    (crash::some, false),
    (power::one, true),
    (power::some, false),
    (power::all, true),
    (pause::one, true),
    (restart::one, true),
    (restart::rolling, false),
    (partition::halves, false),
    (partition::bridge, false),
    (partition::one_way, false),
    (weather::burst, false),
    (slow_disk::slow, true),
    (slow_disk::stuck, true),
    (failing_disk::syncs, true),
    (failing_disk::writes, true),
];

/// Draws what goes wrong in a run: a subset of the kinds, so that no kind hides another, then when and how often.
pub fn draw(dice: &mut Dice, members: usize, storm_ns: u64, election_ns: u64) -> (Vec<Strike>, Vec<Trap>) {
    let possible: Vec<Draw> =
        KINDS.iter().filter(|(_, alone)| *alone || members > 1).map(|&(draw, _)| draw).collect();
    let kinds = dice.between(0, 4) as usize;
    let chosen = dice.subset(possible.len(), kinds.min(possible.len()));
    let mut strikes = Vec::new();
    if !chosen.is_empty() {
        for _ in 0..dice.between(1, 10) {
            let draw = possible[*dice.pick(&chosen)];
            let at_ns = dice.below(storm_ns);
            // From a blink to several election timeouts.
            let lasting_ns = match dice.weighted(&[3, 4, 3]) {
                0 => dice.between(1, election_ns / 4),
                1 => dice.between(election_ns / 2, election_ns * 2),
                _ => dice.between(election_ns * 2, election_ns * 8),
            };
            strikes.push(Strike { at_ns, lasting_ns, trouble: draw(dice, members) });
        }
    }
    strikes.sort_by_key(|strike| strike.at_ns);
    let traps = aimed::draw(dice, members, storm_ns, election_ns);
    (strikes, traps)
}

/// Lets the strikes fall, one after the other.
pub async fn strike(cluster: Cluster, strikes: Vec<Strike>) {
    for Strike { at_ns, lasting_ns, trouble } in strikes {
        cluster.stage().nap_until(at_ns).await;
        cluster.stage().enter(|world| {
            let line = format!("{} for {} ms: {trouble}", trouble.name(), lasting_ns / 1_000_000);
            world.record(&Event::Story { line: &line });
            world.count(trouble.name());
            trouble.begin(world);
            world.after(lasting_ns, move |world| {
                let line = format!("end of {}: {trouble}", trouble.name());
                world.record(&Event::Story { line: &line });
                trouble.end(world);
            });
        });
    }
}

/// Nothing is wrong any more: every link, disk and process.
pub fn heal(world: &mut World) {
    world.record(&Event::Story { line: "everything heals" });
    world.is_calm = true;
    world.heal_links();
    for member in 0..world.len() {
        failing_disk::mend(world, member);
        slow_disk::mend(world, member);
        world.resume(member);
        world.start(member);
    }
}

/// Starts again whoever does not run.
fn start_all(world: &mut World, members: &[Slot]) {
    for &member in members {
        world.start(member);
    }
}

/// Some members but not none and not all, if there is a choice.
fn some_of(dice: &mut Dice, members: usize) -> Vec<Slot> {
    let k = dice.between(1, members.saturating_sub(1).max(1) as u64) as usize;
    dice.subset(members, k)
}
