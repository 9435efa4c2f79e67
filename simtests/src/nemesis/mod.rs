//! What goes wrong, and when. Two kinds: strikes fall at a time, traps wait for a moment.
//!
//! Each file is one kind of trouble. Each says what it does, how to undo it, and how it is drawn.
mod aimed;
mod clock;
mod clog;
mod courses;
mod crash;
mod damage;
mod echo;
mod failing_disk;
mod flapping;
mod full_buffers;
mod fuse;
mod half_open;
mod handover;
mod lying_disk;
mod misrouted;
mod partition;
mod pause;
mod power;
mod restart;
mod restart_storm;
mod slow_disk;
mod slow_link;
mod weather;

pub use aimed::{Jaw, Moment, Supervisor, Trap, Traps, blunt, draw_for_installs};

use crate::cluster::Cluster;
use detcd_runtime_sim::{Dice, Event, Slot, World};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What every kind of trouble can do. Shown, it tells its particulars without its name.
trait Kind: fmt::Display {
    fn name(&self) -> &'static str;
    /// Whom it names.
    fn members(&self) -> Vec<Slot>;
    /// It will end so many nanoseconds later.
    fn begin(&self, world: &mut World, lasting_ns: u64);
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
    RestartStorm(restart_storm::RestartStorm),
    Fuse(fuse::Fuse),
    Partition(partition::Partition),
    Weather(weather::Burst),
    Flapping(flapping::Flapping),
    Swizzle(clog::Swizzle),
    SlowLink(slow_link::SlowLink),
    FullBuffers(full_buffers::FullBuffers),
    HalfOpen(half_open::HalfOpen),
    Echo(echo::Echo),
    Misrouted(misrouted::Misrouted),
    Handover(handover::Handover),
    StepForward(clock::StepForward),
    Freeze(clock::Freeze),
    StepWall(clock::StepWall),
    SlowDisk(slow_disk::Slow),
    StuckDisk(slow_disk::Stuck),
    FailingSyncs(failing_disk::FailingSyncs),
    FailingWrites(failing_disk::FailingWrites),
    FailingReads(failing_disk::FailingReads),
    BitRot(damage::BitRot),
    Misdirected(damage::Misdirected),
    ImageRot(damage::ImageRot),
    FullFolder(failing_disk::FullFolder),
    LyingDisk(lying_disk::LyingDisk),
}

impl Trouble {
    fn kind(&self) -> &dyn Kind {
        match self {
            Trouble::Crash(kind) => kind,
            Trouble::PowerLoss(kind) => kind,
            Trouble::Pause(kind) => kind,
            Trouble::Restart(kind) => kind,
            Trouble::RestartStorm(kind) => kind,
            Trouble::Fuse(kind) => kind,
            Trouble::Partition(kind) => kind,
            Trouble::Weather(kind) => kind,
            Trouble::Flapping(kind) => kind,
            Trouble::Swizzle(kind) => kind,
            Trouble::SlowLink(kind) => kind,
            Trouble::FullBuffers(kind) => kind,
            Trouble::HalfOpen(kind) => kind,
            Trouble::Echo(kind) => kind,
            Trouble::Misrouted(kind) => kind,
            Trouble::Handover(kind) => kind,
            Trouble::StepForward(kind) => kind,
            Trouble::Freeze(kind) => kind,
            Trouble::StepWall(kind) => kind,
            Trouble::SlowDisk(kind) => kind,
            Trouble::StuckDisk(kind) => kind,
            Trouble::FailingSyncs(kind) => kind,
            Trouble::FailingWrites(kind) => kind,
            Trouble::FailingReads(kind) => kind,
            Trouble::BitRot(kind) => kind,
            Trouble::Misdirected(kind) => kind,
            Trouble::ImageRot(kind) => kind,
            Trouble::FullFolder(kind) => kind,
            Trouble::LyingDisk(kind) => kind,
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

    /// It will end so many nanoseconds later.
    pub fn begin(&self, world: &mut World, lasting_ns: u64) {
        self.kind().begin(world, lasting_ns);
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
const KINDS: [(Draw, bool); 35] = [
    (handover::to_one, false),
    (handover::to_one, false),
    (misrouted::link, false),
    (crash::one, true),
    (crash::some, false),
    (power::one, true),
    (power::some, false),
    (power::all, true),
    (pause::one, true),
    (pause::all_but_one, false),
    (restart::one, true),
    (restart::rolling, false),
    (restart_storm::one, true),
    (fuse::one, true),
    (fuse::one, true),
    (partition::halves, false),
    (partition::bridge, false),
    (partition::one_way, false),
    (weather::burst, false),
    (flapping::link, false),
    (clog::swizzle, false),
    (slow_link::link, false),
    (full_buffers::of_one, false),
    (half_open::pair, false),
    (echo::burst, false),
    (clock::step, true),
    (clock::freeze, true),
    (clock::step_wall, true),
    (slow_disk::slow, true),
    (slow_disk::stuck, true),
    (failing_disk::syncs, true),
    (failing_disk::writes, true),
    (failing_disk::reads, true),
    (power::one, true),
    (partition::halves, false),
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

/// The storm's last blow, at the leader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LastBlow {
    #[default]
    None,
    /// It is dead for good.
    Beheads,
    /// It hears nobody for good, and everybody hears it.
    Deafens,
}

/// Whom the run may cost: never more than a minority, or Raft promises nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doom {
    /// Their disks may destroy what was synced, and whoever finds that out is dead for good.
    pub damaged: Vec<Slot>,
    /// Dead for good when the storm ends.
    pub leaving: Vec<Slot>,
    /// What happens to whoever leads when the storm ends.
    #[serde(default)]
    pub last_blow: LastBlow,
    /// Its disk may say that something is safe when it is not. Only in runs of its own: what such a disk loses it can
    /// take from everybody, so that little can be judged.
    pub liar: Option<Slot>,
}

impl Doom {
    /// Whether it leaves a majority, and these strikes keep to it. Err says why not.
    pub fn check(&self, members: usize, strikes: &[Strike]) -> Result<(), String> {
        let lost =
            (0..members).filter(|slot| self.damaged.contains(slot) || self.leaving.contains(slot)).count()
                + usize::from(self.last_blow != LastBlow::None);
        if lost > members.saturating_sub(1) / 2 {
            return Err(format!("{lost} of {members} members are doomed"));
        }
        let bad = strikes.iter().find(|strike| match &strike.trouble {
            Trouble::BitRot(_) | Trouble::Misdirected(_) => {
                !strike.trouble.members().iter().all(|slot| self.damaged.contains(slot))
            }
            Trouble::LyingDisk(_) => strike.trouble.members() != Vec::from_iter(self.liar),
            _ => false,
        });
        bad.map_or(Ok(()), |strike| Err(format!("a disk that is not doomed fails for good: {strike}")))
    }
}

impl fmt::Display for Doom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("damaged disk of", self.damaged.clone()),
            ("dead in the end", self.leaving.clone()),
            ("lying disk of", Vec::from_iter(self.liar)),
        ];
        let mut between = "";
        for (what, who) in parts.iter().filter(|(_, who)| !who.is_empty()) {
            write!(f, "{between}{what} {}", Who(who))?;
            between = "; ";
        }
        match self.last_blow {
            LastBlow::None if between.is_empty() => f.write_str("nobody"),
            LastBlow::None => Ok(()),
            LastBlow::Beheads => write!(f, "{between}whoever leads in the end dies"),
            LastBlow::Deafens => write!(f, "{between}whoever leads in the end hears nobody any more"),
        }
    }
}

/// Draws whom the run may cost, and adds the strikes that do it.
pub fn draw_doom(
    dice: &mut Dice,
    members: usize,
    storm_ns: u64,
    election_ns: u64,
    strikes: &mut Vec<Strike>,
) -> Doom {
    let mut doom = Doom::default();
    let minority = members.saturating_sub(1) / 2;
    if minority == 0 {
        return doom;
    }
    let lost = dice.between(1, minority as u64) as usize;
    match dice.weighted(&[64, 10, 12, 2, 4, 4, 4]) {
        1 => {
            doom.damaged = dice.subset(members, lost);
            for &member in &doom.damaged {
                for _ in 0..dice.between(1, 2) {
                    let trouble = if dice.coin() {
                        damage::rot(dice, member)
                    } else {
                        damage::misdirected(dice, member)
                    };
                    // Not before there is something to damage; and only a member that boots reads its log.
                    let at_ns = dice.between(storm_ns / 4, storm_ns - 1);
                    strikes.push(Strike { at_ns, lasting_ns: 0, trouble });
                    if dice.permille(700) {
                        let lasting_ns = dice.between(1_000_000, election_ns);
                        let at_ns = dice.between(at_ns, storm_ns);
                        strikes.push(Strike { at_ns, lasting_ns, trouble: crash::of(member) });
                    }
                }
            }
        }
        2 => doom.leaving = dice.subset(members, lost),
        3 => {
            let member = dice.index(members);
            doom.liar = Some(member);
            for _ in 0..dice.between(1, 3) {
                let lasting_ns = dice.between(election_ns / 4, election_ns * 4);
                strikes.push(Strike {
                    at_ns: dice.below(storm_ns),
                    lasting_ns,
                    trouble: lying_disk::of(member),
                });
            }
        }
        4 => doom.last_blow = LastBlow::Beheads,
        5 => {
            doom.last_blow = LastBlow::Beheads;
            leave_behind(dice, members, storm_ns, election_ns, strikes);
        }
        6 => doom.last_blow = LastBlow::Deafens,
        _ => {}
    }
    strikes.sort_by_key(|strike| strike.at_ns);
    doom
}

/// Trouble for checkpoints, which no member may die of: their disk is full for a while, and a bit flips in the newest of a
/// member. No more than one in each: the one before it, or the log, must be sound.
pub fn draw_for_checkpoints(
    dice: &mut Dice,
    members: usize,
    storm_ns: u64,
    election_ns: u64,
    strikes: &mut Vec<Strike>,
) {
    let (rots, fills) = (dice.permille(200), dice.permille(150));
    if rots {
        let hit = dice.between(1, members as u64) as usize;
        for member in dice.subset(members, hit) {
            let at_ns = dice.between(storm_ns / 4, storm_ns - 1);
            strikes.push(Strike { at_ns, lasting_ns: 0, trouble: damage::image_rot(dice, member) });
            // Only a member that boots reads it.
            let lasting_ns = dice.between(1_000_000, election_ns);
            strikes.push(Strike { at_ns: at_ns + 1, lasting_ns, trouble: crash::of(member) });
        }
    }
    if fills {
        let lasting_ns = dice.between(election_ns, election_ns * 20);
        let trouble = failing_disk::full_folder(dice, members);
        strikes.push(Strike { at_ns: dice.below(storm_ns), lasting_ns, trouble });
    }
    strikes.sort_by_key(|strike| strike.at_ns);
}

/// In the end a member is cut off while the others elect leaders anew, twice: it is terms behind when the last one dies.
fn leave_behind(dice: &mut Dice, members: usize, storm_ns: u64, election_ns: u64, strikes: &mut Vec<Strike>) {
    let member = dice.index(members);
    let from = storm_ns.saturating_sub(election_ns * 9);
    let trouble = partition::alone(member, members);
    strikes.push(Strike { at_ns: from, lasting_ns: storm_ns - from + 1, trouble });
    for back in [8, 4] {
        let at_ns = storm_ns.saturating_sub(election_ns * back);
        for other in (0..members).filter(|&other| other != member) {
            strikes.push(Strike { at_ns, lasting_ns: 1_000_000, trouble: crash::of(other) });
        }
    }
}

/// Lets the strikes fall, one after the other.
pub async fn strike(cluster: Cluster, strikes: Vec<Strike>) {
    for Strike { at_ns, lasting_ns, trouble } in strikes {
        cluster.stage().nap_until(at_ns).await;
        cluster.stage().enter(|world| {
            let line = format!("{} for {} ms: {trouble}", trouble.name(), lasting_ns / 1_000_000);
            world.record(&Event::Story { line: &line });
            world.count(trouble.name());
            trouble.begin(world, lasting_ns);
            world.after(lasting_ns, move |world| {
                let line = format!("end of {}: {trouble}", trouble.name());
                world.record(&Event::Story { line: &line });
                trouble.end(world);
            });
        });
    }
}

/// Nothing is wrong any more: every link, disk and process but of those who leave for good. One who is deaf for good
/// can be heard.
pub fn heal(world: &mut World, leaving: &[Slot], deaf: Option<Slot>) {
    world.record(&Event::Story { line: "everything heals" });
    world.is_calm = true;
    world.heal_links();
    for member in 0..world.len() {
        failing_disk::mend(world, member);
        slow_disk::mend(world, member);
        lying_disk::mend(world, member);
        clock::mend(world, member);
        world.put_out_fuse(member);
        world.resume(member);
        if leaving.contains(&member) {
            world.bury(member);
        }
        world.start(member);
    }
    if let Some(deaf) = deaf {
        world.forsake(deaf);
        for other in (0..world.len()).filter(|&other| other != deaf) {
            world.links.of_mut(other, deaf).severed = true;
        }
    }
}

/// Starts again whoever does not run.
fn start_all(world: &mut World, members: &[Slot]) {
    for &member in members {
        world.start(member);
    }
}

/// Two different members.
fn pair_of(dice: &mut Dice, members: usize) -> (Slot, Slot) {
    let a = dice.index(members);
    let b = (a + 1 + dice.index(members.saturating_sub(1).max(1))) % members;
    (a, b)
}

/// Some members but not none and not all, if there is a choice.
fn some_of(dice: &mut Dice, members: usize) -> Vec<Slot> {
    let k = dice.between(1, members.saturating_sub(1).max(1) as u64) as usize;
    dice.subset(members, k)
}
