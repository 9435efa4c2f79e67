//! Traps: trouble at the worst moment instead of at a random one. A lost vote needs a machine to die within the
//! millisecond after it voted; uniform faults find that one time in thousands.
use detcd_proto::raftpb::MessageType;
use detcd_runtime_sim::{Concern, Dice, Event, Happening, Observer, Slot, World};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The moment that a trap waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Moment {
    /// A member leads for the first time in a term: its first heartbeat or append is about to leave.
    Elected,
    /// A member's vote for another is about to leave.
    Voting,
    /// A leader's entries are about to leave.
    Replicating,
    /// A follower's acknowledgement of entries is about to leave.
    Acknowledging,
    /// A member has asked its disk to sync.
    SyncIssued,
    /// It is on the disk, and the member does not know it.
    Synced,
    /// A client's write is about to be answered: it is acknowledged in a moment, or never.
    Answering,
    /// A segment of the log is about to begin.
    Rotating,
    /// A member boots again.
    Booting,
    /// A member has cut the torn end off its log and not synced that yet.
    Repairing,
}

const MOMENTS: [Moment; 10] = [
    Moment::Elected,
    Moment::Voting,
    Moment::Replicating,
    Moment::Acknowledging,
    Moment::SyncIssued,
    Moment::Synced,
    Moment::Answering,
    Moment::Rotating,
    Moment::Booting,
    Moment::Repairing,
];

/// What the trap does to the member that walked into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Jaw {
    Crash,
    PowerLoss,
    /// Every machine loses power.
    Blackout,
    /// The member loses power and everybody else's process dies.
    Reset,
    Pause,
    /// Nobody hears it, and it hears nobody.
    Isolate,
    /// Only one other member hears it and is heard by it; then it dies. What it said last is with a minority.
    Whisper,
    /// It is cut off and loses power when it has been cut off for a while.
    IsolateThenPowerLoss,
}

const JAWS: [Jaw; 8] = [
    Jaw::Crash,
    Jaw::PowerLoss,
    Jaw::Blackout,
    Jaw::Reset,
    Jaw::Pause,
    Jaw::Isolate,
    Jaw::Whisper,
    Jaw::IsolateThenPowerLoss,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trap {
    pub moment: Moment,
    pub jaw: Jaw,
    /// Not before this time of the run, in nanoseconds.
    pub armed_at_ns: u64,
    /// So many moments pass by before it snaps.
    pub skip: u64,
    /// From the moment to the snap; 0: at once, so that what was about to happen does not.
    pub delay_ns: u64,
    /// How long the trouble lasts.
    pub lasting_ns: u64,
    /// How often it snaps, with the same skip in between.
    pub times: u64,
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "from {} ms: after {} times {:?} + {} us, {:?} for {} ms, {} times",
            self.armed_at_ns / 1_000_000,
            self.skip,
            self.moment,
            self.delay_ns / 1_000,
            self.jaw,
            self.lasting_ns / 1_000_000,
            self.times
        )
    }
}

pub fn draw(dice: &mut Dice, members: usize, storm_ns: u64, election_ns: u64) -> Vec<Trap> {
    let n = [0, 1, 2, 4][dice.weighted(&[30, 30, 25, 15])];
    let mut traps = Vec::new();
    for _ in 0..n {
        let moment = *dice.pick(&MOMENTS);
        // Syncs and answers come by the hundred, elections by the dozen.
        let skip_max = match moment {
            Moment::Repairing => 1,
            Moment::Elected | Moment::Voting | Moment::Rotating | Moment::Booting => 4,
            _ => 120,
        };
        let alone = [Jaw::Crash, Jaw::PowerLoss, Jaw::Pause];
        if moment == Moment::Repairing {
            // There is nothing to repair unless a write was cut short before.
            let (lasting_ns, times) = (dice.between(1_000_000, election_ns), 5);
            let short = Trap {
                moment: Moment::SyncIssued,
                jaw: Jaw::PowerLoss,
                armed_at_ns: 0,
                skip: dice.below(60),
                delay_ns: 0,
                lasting_ns,
                times,
            };
            let jaw = Jaw::PowerLoss;
            traps.push(short);
            traps.push(Trap { moment, jaw, skip: 0, delay_ns: dice.below(500_000), ..short });
            continue;
        }
        let jaw = if members == 1 { *dice.pick(&alone) } else { *dice.pick(&JAWS) };
        traps.push(Trap {
            moment,
            jaw,
            armed_at_ns: dice.below(storm_ns * 3 / 4),
            skip: dice.below(skip_max),
            delay_ns: match dice.weighted(&[4, 3, 3]) {
                0 => 0,
                1 => dice.below(200_000),
                _ => dice.below(5_000_000),
            },
            lasting_ns: match dice.weighted(&[3, 3, 2]) {
                0 => dice.between(100_000, 5_000_000),
                1 => dice.between(election_ns / 10, election_ns),
                _ => dice.between(election_ns, election_ns * 6),
            },
            times: *dice.pick(&[1, 1, 2, 5]),
        });
    }
    traps
}

/// Watches everything that happens, and lets the traps snap.
pub struct Traps {
    set: Vec<(Trap, u64)>,
    /// The newest term in which each member was seen to lead.
    led: Vec<u64>,
}

impl Traps {
    pub fn new(traps: Vec<Trap>, members: usize) -> Traps {
        let set = traps.into_iter().map(|trap| (trap, trap.skip)).collect();
        Traps { set, led: vec![0; members] }
    }

    fn moment(&mut self, what: &Happening<'_>) -> Option<(Moment, Slot)> {
        match *what {
            Happening::Sending { from, message, .. } => match MessageType::try_from(message.r#type).ok()? {
                MessageType::MsgApp | MessageType::MsgHeartbeat if message.term > self.led[from] => {
                    self.led[from] = message.term;
                    Some((Moment::Elected, from))
                }
                MessageType::MsgApp if !message.entries.is_empty() => Some((Moment::Replicating, from)),
                MessageType::MsgVoteResp if !message.reject => Some((Moment::Voting, from)),
                MessageType::MsgAppResp if !message.reject => Some((Moment::Acknowledging, from)),
                _ => None,
            },
            Happening::SyncIssued { member } => Some((Moment::SyncIssued, member)),
            Happening::Truncated { member } => Some((Moment::Repairing, member)),
            Happening::Synced { member, .. } => Some((Moment::Synced, member)),
            Happening::Answering { member, write: true, .. } => Some((Moment::Answering, member)),
            Happening::Appending { member, name, .. } if name.ends_with(".tmp") => {
                Some((Moment::Rotating, member))
            }
            Happening::Booting { member } if self.led.len() > member => Some((Moment::Booting, member)),
            _ => None,
        }
    }
}

impl Observer for Traps {
    fn happened(&mut self, what: &Happening<'_>, world: &mut World) {
        if self.set.is_empty() {
            return;
        }
        let Some((moment, member)) = self.moment(what) else { return };
        let now = world.now();
        if world.is_calm {
            return;
        }
        for (trap, left) in &mut self.set {
            if trap.moment != moment || now < trap.armed_at_ns || trap.times == 0 {
                continue;
            }
            if *left > 0 {
                *left -= 1;
                continue;
            }
            trap.times -= 1;
            *left = trap.skip;
            let (jaw, lasting) = (trap.jaw, trap.lasting_ns);
            let line = format!("trap: m{} at {moment:?}", member + 1);
            world.record(&Event::Story { line: &line });
            world.count(counter(moment));
            if trap.delay_ns == 0 {
                snap(world, jaw, member, lasting);
            } else {
                world.after(trap.delay_ns, move |world| snap(world, jaw, member, lasting));
            }
        }
    }
}

fn counter(moment: Moment) -> &'static str {
    match moment {
        Moment::Elected => "aimed: just elected",
        Moment::Voting => "aimed: about to vote",
        Moment::Replicating => "aimed: about to replicate",
        Moment::Acknowledging => "aimed: about to acknowledge",
        Moment::SyncIssued => "aimed: sync issued",
        Moment::Synced => "aimed: synced, not told",
        Moment::Answering => "aimed: about to answer a client",
        Moment::Rotating => "aimed: segment rotating",
        Moment::Booting => "aimed: booting",
        Moment::Repairing => "aimed: repairing the log",
    }
}

fn snap(world: &mut World, jaw: Jaw, member: Slot, lasting: u64) {
    if world.is_calm {
        return;
    }
    let line = format!("{jaw:?} of m{} for {} us", member + 1, lasting / 1000);
    world.record(&Event::Story { line: &line });
    let all = 0..world.len();
    let others: Vec<Slot> = all.clone().filter(|&other| other != member).collect();
    match jaw {
        Jaw::Crash => {
            world.crash(member);
            world.after(lasting, move |world| world.start(member));
        }
        Jaw::PowerLoss => {
            world.lose_power(member);
            world.after(lasting, move |world| world.start(member));
        }
        Jaw::Blackout => {
            all.clone().for_each(|member| world.lose_power(member));
            world.after(lasting, move |world| all.for_each(|member| world.start(member)));
        }
        Jaw::Reset => {
            world.lose_power(member);
            others.iter().for_each(|&other| world.crash(other));
            world.after(lasting, move |world| all.for_each(|member| world.start(member)));
        }
        Jaw::Pause => {
            world.pause(member);
            world.after(lasting, move |world| world.resume(member));
        }
        Jaw::Isolate => isolate(world, member, others, lasting),
        Jaw::Whisper => {
            if others.is_empty() {
                // Nobody to whisper to: a trap from the plan of a larger cluster.
                return snap(world, Jaw::Crash, member, lasting);
            }
            // Another confidant every time, and no draw needed for it.
            let confidant = others[(world.now() / 1_000) as usize % others.len()];
            isolate(world, member, others.into_iter().filter(|&other| other != confidant).collect(), lasting);
            world.after(lasting / 2, move |world| {
                if !world.is_calm {
                    world.crash(member);
                }
            });
            world.after(lasting, move |world| world.start(member));
        }
        Jaw::IsolateThenPowerLoss => {
            isolate(world, member, others, lasting);
            world.after(lasting / 2, move |world| {
                if !world.is_calm {
                    world.lose_power(member);
                }
            });
            world.after(lasting, move |world| world.start(member));
        }
    }
}

fn isolate(world: &mut World, member: Slot, others: Vec<Slot>, lasting: u64) {
    for &other in &others {
        world.cut(member, other);
        world.cut(other, member);
    }
    world.after(lasting, move |world| {
        for other in others {
            world.mend(member, other);
            world.mend(other, member);
        }
    });
}

/// Starts a member again that halted by itself, as an init system would.
pub struct Supervisor {
    dice: Dice,
    election_ns: u64,
}

impl Supervisor {
    pub fn new(seed: u64, election_ns: u64) -> Supervisor {
        Supervisor { dice: Dice::split(seed, Concern::Faults, 1), election_ns }
    }
}

impl Observer for Supervisor {
    fn happened(&mut self, what: &Happening<'_>, world: &mut World) {
        if let Happening::Halted { member, .. } = *what {
            let delay = self.dice.between(1_000_000, self.election_ns);
            world.after(delay, move |world| world.start(member));
        }
    }
}
