//! Traps: trouble at the worst moment instead of at a random one. A lost vote needs a machine to die within the
//! millisecond after it voted; uniform faults find that one time in thousands.
use super::{Strike, courses};
use crate::invariants::{CHECKPOINTS, names_damage};
use detcd_proto::raftpb::{Message, MessageType};
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
    /// A new segment has its name, and the name is not durable.
    Named,
    /// The draft of a part of a checkpoint is about to be written.
    Drafting,
    /// A part of a checkpoint has its name, and the name is not durable.
    DraftNamed,
    /// A file that nobody needs any more is gone, and that is not durable.
    Forgotten,
    /// A member boots again.
    Booting,
    /// A member has cut the torn end off its log and not synced that yet.
    Repairing,
    /// A member's question for a read index is about to reach its leader.
    Questioned,
    /// A follower's answer to a round of reads is about to reach its leader.
    Confirming,
    /// A member's question for a read index is about to leave.
    Asking,
    /// A leader is about to ask a quorum on behalf of reads.
    Polling,
    /// A leader has found a lease expired and is about to let it end.
    Expiring,
    /// A member has applied a compaction that a client asked it for.
    Compacted,
    /// A leader is about to tell of the first commit of its term.
    Committed,
    /// A leader's checkpoint is about to leave for a member that lags.
    Shipping,
    /// A part of a leader's checkpoint is about to be written to a draft.
    Arriving,
    /// A member's log begins anew behind a leader's checkpoint, and its disk does not know it.
    Restored,
    /// A member's state has jumped to a leader's checkpoint.
    Jumped,
}

const MOMENTS: [Moment; 21] = [
    Moment::Elected,
    Moment::Voting,
    Moment::Replicating,
    Moment::Acknowledging,
    Moment::SyncIssued,
    Moment::Synced,
    Moment::Answering,
    Moment::Rotating,
    Moment::Named,
    Moment::Drafting,
    Moment::DraftNamed,
    Moment::Forgotten,
    Moment::Booting,
    Moment::Repairing,
    Moment::Questioned,
    Moment::Confirming,
    Moment::Asking,
    Moment::Polling,
    Moment::Expiring,
    Moment::Compacted,
    Moment::Committed,
];

/// The steps of a checkpoint's way from one member to another. Drawn apart: few stories have one.
const INSTALL_MOMENTS: [Moment; 4] = [Moment::Shipping, Moment::Arriving, Moment::Restored, Moment::Jumped];

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
    /// It and its neighbour hear each other and nobody else.
    Pair,
    /// Only one other member hears it and is heard by it; then it dies. What it said last is with a minority.
    Whisper,
    /// As a whisper, with two confidants where there are four others: with the member itself a majority of five.
    Murmur,
    /// As a murmur, and it dies within milliseconds: what it replicates first gets through, what it adds does not.
    Gasp,
    /// It stands still; while it does it is cut off, and it stays so for a while after it goes on: it believes in a
    /// past that is over.
    Stall,
    /// It stands still; while it does its leader is cut off, and another is elected.
    StallAndDepose,
    /// It is cut off and loses power when it has been cut off for a while.
    IsolateThenPowerLoss,
    /// The message that is being delivered comes late, whatever comes before it.
    Late,
    /// It comes late, and its receiver is cut off meanwhile: an answer from the past for one who believes in it.
    LateInIsolation,
}

const JAWS: [Jaw; 13] = [
    Jaw::Crash,
    Jaw::PowerLoss,
    Jaw::Blackout,
    Jaw::Reset,
    Jaw::Pause,
    Jaw::Isolate,
    Jaw::Pair,
    Jaw::Whisper,
    Jaw::Murmur,
    Jaw::Gasp,
    Jaw::Stall,
    Jaw::StallAndDepose,
    Jaw::IsolateThenPowerLoss,
];

/// Those that make sense for a message on its way too.
const DELIVERY_JAWS: [Jaw; 6] =
    [Jaw::Late, Jaw::Late, Jaw::LateInIsolation, Jaw::LateInIsolation, Jaw::Pause, Jaw::Isolate];

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
            Moment::Elected
            | Moment::Voting
            | Moment::Rotating
            | Moment::Named
            | Moment::Drafting
            | Moment::DraftNamed
            | Moment::Forgotten
            | Moment::Booting
            | Moment::Expiring
            | Moment::Compacted
            | Moment::Committed => 4,
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
        let delivery = matches!(moment, Moment::Questioned | Moment::Confirming);
        let jaw = match (members, delivery) {
            // Only a power loss takes names.
            _ if matches!(moment, Moment::Named | Moment::DraftNamed | Moment::Forgotten) => {
                *dice.pick(&[Jaw::PowerLoss, Jaw::Blackout])
            }
            (1, _) => *dice.pick(&alone),
            (_, true) => *dice.pick(&DELIVERY_JAWS),
            (_, false) => *dice.pick(&JAWS),
        };
        traps.push(Trap {
            moment,
            jaw,
            armed_at_ns: dice.below(storm_ns * 3 / 4),
            skip: dice.below(skip_max),
            delay_ns: match dice.weighted(&[4, 3, 3]) {
                _ if delivery => 0,
                0 => 0,
                1 => dice.below(200_000),
                _ => dice.below(5_000_000),
            },
            lasting_ns: match dice.weighted(&[3, 3, 2]) {
                0 => dice.between(100_000, 5_000_000),
                1 => dice.between(election_ns / 10, election_ns),
                _ => dice.between(election_ns, election_ns * 6),
            },
            times: *dice.pick(if delivery { &[2, 4, 8, 16] } else { &[1, 1, 2, 5] }),
        });
    }
    courses::draw(dice, members, storm_ns, election_ns, &mut traps);
    traps
}

/// For those who walk the way of a checkpoint.
pub fn draw_for_installs(dice: &mut Dice, members: usize, storm_ns: u64, election_ns: u64) -> Vec<Trap> {
    if members == 1 || !dice.permille(350) {
        return Vec::new();
    }
    let jaws = [Jaw::Crash, Jaw::PowerLoss, Jaw::PowerLoss, Jaw::Blackout, Jaw::Pause, Jaw::Isolate];
    let trap = |dice: &mut Dice| Trap {
        moment: *dice.pick(&INSTALL_MOMENTS),
        jaw: *dice.pick(&jaws),
        armed_at_ns: dice.below(storm_ns / 2),
        skip: dice.below(2),
        delay_ns: match dice.weighted(&[2, 3, 2]) {
            0 => 0,
            1 => dice.below(500_000),
            _ => dice.below(10_000_000),
        },
        lasting_ns: dice.between(1_000_000, election_ns * 2),
        times: *dice.pick(&[1, 2, 5]),
    };
    (0..dice.between(1, 2)).map(|_| trap(dice)).collect()
}

/// Strikes that do what these traps do, as often and as long, but at random times and to random members.
pub fn blunt(dice: &mut Dice, traps: &[Trap], members: usize, storm_ns: u64) -> Vec<Strike> {
    let mut strikes = Vec::new();
    for trap in traps {
        for _ in 0..trap.times {
            let (at_ns, lasting_ns) =
                (dice.between(trap.armed_at_ns.min(storm_ns), storm_ns), trap.lasting_ns);
            let member = dice.index(members);
            let mut strike = |at_ns, lasting_ns, trouble| strikes.push(Strike { at_ns, lasting_ns, trouble });
            let half = lasting_ns / 2;
            match trap.jaw {
                Jaw::Crash => strike(at_ns, lasting_ns, super::crash::of(member)),
                Jaw::PowerLoss => strike(at_ns, lasting_ns, super::power::of(member)),
                Jaw::Blackout => strike(at_ns, lasting_ns, super::power::all(dice, members)),
                Jaw::Reset => {
                    strike(at_ns, lasting_ns, super::power::of(member));
                    for other in (0..members).filter(|&other| other != member) {
                        strike(at_ns, lasting_ns, super::crash::of(other));
                    }
                }
                Jaw::Pause => strike(at_ns, lasting_ns, super::pause::of(member)),
                Jaw::Isolate => strike(at_ns, lasting_ns, super::partition::alone(member, members)),
                Jaw::Pair => {
                    strike(
                        at_ns,
                        lasting_ns,
                        super::partition::camp(&[member, neighbour(member, members)], members),
                    );
                }
                Jaw::Stall => {
                    strike(at_ns, lasting_ns, super::pause::of(member));
                    strike(at_ns + half / 10, lasting_ns + half, super::partition::alone(member, members));
                }
                Jaw::StallAndDepose => {
                    strike(at_ns, lasting_ns, super::pause::of(member));
                    let leader = dice.index(members);
                    strike(at_ns + half / 10, lasting_ns + half, super::partition::alone(leader, members));
                }
                Jaw::Whisper | Jaw::Murmur | Jaw::Gasp => {
                    strike(at_ns, lasting_ns, super::partition::alone(member, members));
                    strike(at_ns + half, half, super::crash::of(member));
                }
                Jaw::IsolateThenPowerLoss => {
                    strike(at_ns, lasting_ns, super::partition::alone(member, members));
                    strike(at_ns + half, half, super::power::of(member));
                }
                Jaw::Late | Jaw::LateInIsolation => {
                    strike(at_ns, lasting_ns, super::slow_link::link(dice, members));
                }
            }
        }
    }
    strikes
}

/// Watches everything that happens, and lets the traps snap.
pub struct Traps {
    set: Vec<(Trap, u64)>,
    /// The newest term in which each member was seen to lead.
    led: Vec<u64>,
    /// What each member told of as committed when that term began; none once it has told of more.
    told: Vec<Option<u64>>,
}

impl Traps {
    pub fn new(traps: Vec<Trap>, members: usize) -> Traps {
        let set = traps.into_iter().map(|trap| (trap, trap.skip)).collect();
        Traps { set, led: vec![0; members], told: vec![None; members] }
    }

    fn moment(&mut self, what: &Happening<'_>) -> Option<(Moment, Slot)> {
        match *what {
            Happening::Sending { from, message, .. } => match MessageType::try_from(message.r#type).ok()? {
                MessageType::MsgApp | MessageType::MsgHeartbeat if message.term > self.led[from] => {
                    self.led[from] = message.term;
                    self.told[from] = Some(message.commit);
                    Some((Moment::Elected, from))
                }
                MessageType::MsgApp if self.told[from].is_some_and(|told| message.commit > told) => {
                    self.told[from] = None;
                    Some((Moment::Committed, from))
                }
                MessageType::MsgApp if !message.entries.is_empty() => Some((Moment::Replicating, from)),
                MessageType::MsgHeartbeat if has_context(message) => Some((Moment::Polling, from)),
                MessageType::MsgReadIndex => Some((Moment::Asking, from)),
                MessageType::MsgSnap => Some((Moment::Shipping, from)),
                MessageType::MsgVoteResp if !message.reject => Some((Moment::Voting, from)),
                MessageType::MsgAppResp if !message.reject => Some((Moment::Acknowledging, from)),
                _ => None,
            },
            Happening::Delivering { to, message, .. } => match MessageType::try_from(message.r#type).ok()? {
                MessageType::MsgReadIndex => Some((Moment::Questioned, to)),
                MessageType::MsgHeartbeatResp if has_context(message) => Some((Moment::Confirming, to)),
                _ => None,
            },
            Happening::Noted { member, line } if line.contains(" lease expired id=") => {
                Some((Moment::Expiring, member))
            }
            Happening::Noted { member, line } if line.contains(" restored snapshot index=") => {
                Some((Moment::Restored, member))
            }
            Happening::Noted { member, line } if line.contains(" applied snapshot snapshot-index=") => {
                Some((Moment::Jumped, member))
            }
            Happening::Appending { member, name, .. }
                if is_checkpoint(name) && name.contains(".received.") =>
            {
                Some((Moment::Arriving, member))
            }
            Happening::Renamed { member, name } if is_checkpoint(name) => Some((Moment::DraftNamed, member)),
            Happening::Renamed { member, .. } => Some((Moment::Named, member)),
            Happening::Removed { member, .. } => Some((Moment::Forgotten, member)),
            Happening::Appending { member, name, .. } if is_checkpoint(name) => {
                Some((Moment::Drafting, member))
            }
            Happening::Compacted { member } => Some((Moment::Compacted, member)),
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

fn is_checkpoint(name: &str) -> bool {
    name.starts_with(CHECKPOINTS)
}

/// Whether a message belongs to a round of reads.
fn has_context(message: &Message) -> bool {
    message.context.as_ref().is_some_and(|context| !context.is_empty())
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
            // Whoever led last, as far as anybody saw.
            let leader = (0..self.led.len()).max_by_key(|&slot| self.led[slot]).unwrap_or(member);
            if trap.delay_ns == 0 {
                snap(world, jaw, member, leader, lasting);
            } else {
                world.after(trap.delay_ns, move |world| snap(world, jaw, member, leader, lasting));
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
        Moment::Named => "aimed: segment just named",
        Moment::Drafting => "aimed: checkpoint being written",
        Moment::DraftNamed => "aimed: checkpoint just named",
        Moment::Forgotten => "aimed: file just removed",
        Moment::Booting => "aimed: booting",
        Moment::Repairing => "aimed: repairing the log",
        Moment::Questioned => "aimed: asked for a read index",
        Moment::Confirming => "aimed: about to hear a confirmation",
        Moment::Asking => "aimed: about to ask for a read index",
        Moment::Polling => "aimed: about to ask a quorum for reads",
        Moment::Expiring => "aimed: lease about to be revoked",
        Moment::Compacted => "aimed: just compacted",
        Moment::Shipping => "aimed: checkpoint about to be sent",
        Moment::Arriving => "aimed: checkpoint being received",
        Moment::Restored => "aimed: log begun anew",
        Moment::Jumped => "aimed: state just jumped",
        Moment::Committed => "aimed: first commit of a term",
    }
}

fn snap(world: &mut World, jaw: Jaw, member: Slot, leader: Slot, lasting: u64) {
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
        Jaw::Pair => {
            let neighbour = neighbour(member, world.len());
            let others: Vec<Slot> = others.into_iter().filter(|&other| other != neighbour).collect();
            isolate(world, neighbour, others.clone(), lasting);
            isolate(world, member, others, lasting);
        }
        Jaw::Late => world.delay_delivery(lasting),
        Jaw::LateInIsolation => {
            world.delay_delivery(lasting / 2);
            isolate(world, member, others, lasting);
        }
        Jaw::Stall => stall(world, member, member, lasting),
        Jaw::StallAndDepose => stall(world, member, leader, lasting),
        Jaw::Whisper | Jaw::Murmur | Jaw::Gasp => {
            let mut others = others;
            let confidants = if jaw == Jaw::Whisper { 1 } else { others.len().div_ceil(2) };
            for _ in 0..confidants.min(others.len()) {
                // Others every time, and no draw needed for it.
                others.remove((world.now() / 1_000) as usize % others.len());
            }
            isolate(world, member, others, lasting);
            let dies = if jaw == Jaw::Gasp { 500_000 + world.now() % 8_000_000 } else { lasting / 2 };
            world.after(dies, move |world| {
                if !world.is_calm {
                    world.crash(member);
                }
            });
            world.after(lasting.max(dies + 1), move |world| world.start(member));
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

/// The same for both of a pair, so that a pair parted from the others twice is the same pair.
fn neighbour(member: Slot, members: usize) -> Slot {
    if member ^ 1 < members { member ^ 1 } else { 0 }
}

/// `member` stands still; soon after, `outcast` is cut off, for half as long again.
fn stall(world: &mut World, member: Slot, outcast: Slot, lasting: u64) {
    world.pause(member);
    world.after(lasting, move |world| world.resume(member));
    world.after(lasting / 20, move |world| {
        if !world.is_calm {
            let others = (0..world.len()).filter(|&other| other != outcast).collect();
            isolate(world, outcast, others, lasting + lasting / 2);
        }
    });
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
        if let Happening::Halted { member, why } = *what {
            if names_damage(world, member, why) {
                // Starting it again would change nothing.
                world.count("process: gave up a damaged log");
                return world.bury(member);
            }
            let delay = self.dice.between(1_000_000, self.election_ns);
            world.after(delay, move |world| world.start(member));
        }
    }
}
