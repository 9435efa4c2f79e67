//! What a seed stands for: the cluster, its world, its clients, and what goes wrong when. Drawn before the run begins,
//! from generators of its own, and plain data: a plan can be printed, kept in a file, made smaller and played again.
use crate::{
    client::{Manners, locker::Contest, watcher::Wish},
    cluster::Settings,
    nemesis::{self, Doom, Jaw, LastBlow, Moment, Strike, Trap, Trouble},
    profile::Profile,
    reform::Step,
    workload::Mix,
};
use detcd_core::{Plants, Span};
use detcd_runtime_sim::{Concern, Dice, Latency, clock::Clock, disk::Knobs, links::Weather};
use serde::{Deserialize, Serialize};
use std::fmt;

/// More entries than any story has.
const UNFORGOTTEN: u64 = 1 << 32;

/// More than ever waits for a quorum.
const UNBOUNDED_BYTES: u64 = 1 << 30;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub seed: u64,
    pub settings: Settings,
    pub clocks: Vec<Clock>,
    pub weather: Weather,
    pub disk: Knobs,
    pub clients: u32,
    pub keys: u64,
    /// So many thousandths of the values fill several sectors.
    pub large_permille: u64,
    pub mix: Mix,
    /// Who else contends for turns, and at what; one client each.
    #[serde(default)]
    pub contenders: Vec<Contest>,
    /// They ask the members' Lock and Election services instead of following the recipe themselves.
    #[serde(default)]
    pub services: bool,
    /// How many users with permissions of their own there are; with any, callers must say who they are.
    #[serde(default)]
    pub users: u32,
    pub manners: Manners,
    /// What the watchers want, one each.
    pub watchers: Vec<Wish>,
    /// How long things go wrong, in nanoseconds; then everything heals.
    pub storm_ns: u64,
    pub strikes: Vec<Strike>,
    pub traps: Vec<Trap>,
    pub doom: Doom,
    /// Changes of the members.
    #[serde(default)]
    pub reforms: Vec<Step>,
}

impl Plan {
    /// Swarm: every seed draws its own size, settings, mix and its own subset of what can go wrong.
    ///
    /// The profile bounds sizes; [`Profile::plan`] is the whole plan.
    pub(crate) fn draw(seed: u64, profile: Profile, plants: Plants) -> Plan {
        let dice = &mut Dice::new(seed, Concern::Plan);
        let members = [1, 3, 5][dice.weighted(&[15, 60, 25])].min(profile.members_max());
        let election_ms = (*dice.pick(&[60, 100, 250, 1000])).min(profile.election_ms_max());
        let mut settings = Settings {
            members,
            spares: 0,
            strict_reconfig: true,
            heartbeat: Span::millis((election_ms / 10).max(10)),
            election: Span::millis(election_ms),
            pre_vote: dice.coin(),
            segment_bytes: *dice.pick(&[2_000, 8_000, 64_000_000]),
            snapshot_count: 10_000,
            snapshot_catchup_entries: UNFORGOTTEN,
            max_message_bytes: *dice.pick(&[300, 4_096, 512 * 1024]),
            max_inflight_messages: *dice.pick(&[2, 16, 512]),
            max_apply_bytes: *dice.pick(&[100, 2_000, 16 << 20]),
            // No less than the largest request: it would never be taken.
            max_uncommitted_bytes: *dice.pick(&[20_000, 100_000, UNBOUNDED_BYTES]),
            watch_progress: *dice.pick(&[Span::millis(100), Span::millis(500), Span::secs(600)]),
            watch_slice_changes: *dice.pick(&[1, 20, 10_000]),
            watch_replies_max: *dice.pick(&[2, 16, 128]),
            watch_fragment_bytes: *dice.pick(&[150, 1_000, 2_000_000]),
            lease_checkpoint: Span::secs(300),
            plants,
        };
        // A fixed number of things happens per election timeout, so that slow clusters are not better tested.
        let storm_ms = (election_ms * dice.between(12, 30)).clamp(1_500, 12_000);
        let storm_ns = profile.storm_ms(storm_ms) * 1_000_000;
        let mut clients = [1, 2, 3, 5, 12][dice.weighted(&[2, 3, 3, 3, 1])];
        let keys = *dice.pick(&[1, 2, 3, 5, 8]);
        let mut large_permille = *dice.pick(&[0, 0, 50, 300]);
        let mut mix = Mix::draw(dice);
        let manners = Manners {
            link: Latency::new(50, 300, 10, 10_000),
            loss_permille: *dice.pick(&[0, 0, 10, 50]),
            // Whoever gives up soon leaves many writes behind with a leader that is cut off.
            patience_ns: election_ms * *dice.pick(&[250, 1_000, 2_000, 4_000, 8_000]) * 1_000,
            think: Latency::new(100, storm_ns / 1000 / dice.between(50, 250), 50, 50_000),
            loyalty_permille: *dice.pick(&[0, 300, 900]),
            speed_spread_permille: *dice.pick(&[0, 0, 100, 700]),
        };
        let weather = Weather {
            latency: *dice.pick(&[
                Latency::new(80, 400, 10, 5_000),
                Latency::new(500, 3_000, 20, 20_000),
                Latency::new(100, 200, 100, 10_000),
            ]),
            loss_permille: *dice.pick(&[0, 0, 5, 30]),
            repeat_permille: *dice.pick(&[0, 0, 20, 300]),
            in_order: dice.permille(700),
        };
        let disk = Knobs {
            sync: *dice.pick(&[
                Latency::new(150, 1_500, 15, 40_000),
                Latency::new(50, 100, 5, 5_000),
                Latency::new(2_000, 6_000, 50, 60_000),
            ]),
            ..Knobs::default()
        };
        let watchers = (0..[0, 1, 2, 4, 8][dice.weighted(&[2, 3, 3, 2, 1])])
            .map(|_| Wish::draw(dice, storm_ns))
            .collect();
        let dice = &mut Dice::split(seed, Concern::Plan, 1);
        let contest = if dice.coin() { Contest::Lock } else { Contest::Election };
        let contenders = vec![contest; [0, 2, 3, 5][dice.weighted(&[14, 2, 3, 1])]];
        let dice = &mut Dice::split(seed, Concern::Plan, 2);
        settings.lease_checkpoint =
            *dice.pick(&[Span::millis(300), Span::millis(800), Span::secs(2), Span::secs(300)]);
        let services = dice.coin();
        let dice = &mut Dice::new(seed, Concern::Clocks);
        let drift_max = *dice.pick(&[0, 100, 50_000]);
        let clocks = (0..members)
            .map(|_| Clock {
                origin_ns: dice.below(1 << 40),
                drift_ppm: dice.between(0, 2 * drift_max) as i64 - drift_max as i64,
                wall_offset_ns: dice.below(3_600_000_000_000),
            })
            .collect();
        let dice = &mut Dice::new(seed, Concern::Faults);
        let (mut strikes, mut traps) = nemesis::draw(dice, members, storm_ns, election_ms * 1_000_000);
        // A trap that waits for an operation brings it along.
        for trap in &traps {
            match trap.moment {
                Moment::Expiring => mix.lease = mix.lease.max(15),
                Moment::Compacted => mix.compact = mix.compact.max(2),
                // What was not committed in earlier terms goes on in several messages.
                Moment::Committed if trap.jaw == Jaw::Pair => {
                    settings.max_message_bytes = 300;
                    large_permille = large_permille.max(300);
                    clients = clients.max(3);
                }
                _ => {}
            }
        }
        let dice = &mut Dice::split(seed, Concern::Faults, 2);
        let mut doom = nemesis::draw_doom(dice, members, storm_ns, election_ms * 1_000_000, &mut strikes);
        let dice = &mut Dice::split(seed, Concern::Plan, 3);
        settings.snapshot_count = *dice.pick(&[3, 10, 40, 10_000]);
        settings.snapshot_catchup_entries = *dice.pick(&[0, 0, 5, UNFORGOTTEN]);
        nemesis::draw_for_checkpoints(dice, members, storm_ns, election_ms * 1_000_000, &mut strikes);
        traps.extend(nemesis::draw_for_installs(dice, members, storm_ns, election_ms * 1_000_000));
        if doom.last_blow == LastBlow::Deafens && !settings.pre_vote {
            // It would stand for election again and again, and disturb the others without end.
            doom.last_blow = LastBlow::Beheads;
        }
        Plan {
            seed,
            settings,
            clocks,
            weather,
            disk,
            clients,
            keys,
            large_permille,
            mix,
            contenders,
            services,
            users: 0,
            manners,
            watchers,
            storm_ns,
            strikes,
            traps,
            doom,
            reforms: Vec::new(),
        }
    }

    /// The same plan with strikes at random times in place of its traps, as many and as long: shows what aiming is
    /// worth.
    pub fn without_aim(mut self) -> Plan {
        let dice = &mut Dice::split(self.seed, Concern::Faults, 3);
        let traps = std::mem::take(&mut self.traps);
        self.strikes.extend(nemesis::blunt(dice, &traps, self.settings.slots(), self.storm_ns));
        self.strikes.sort_by_key(|strike| strike.at_ns);
        self
    }

    /// Whether somebody asks a leader to hand over.
    pub fn has_handovers(&self) -> bool {
        self.strikes.iter().any(|strike| matches!(strike.trouble, Trouble::Handover(_)))
    }

    /// Whether a clock may stand still.
    pub fn stops_clocks(&self) -> bool {
        self.strikes.iter().any(|strike| matches!(strike.trouble, Trouble::Freeze(_)))
    }

    /// Whether a leader may be full: no more than so much may wait for a quorum.
    pub fn fills_leaders(&self) -> bool {
        self.settings.max_uncommitted_bytes < UNBOUNDED_BYTES
    }

    /// Whether it can be played: whoever makes a plan by hand or makes one smaller may have left a hole. Err says
    /// where.
    pub fn check(&self) -> Result<(), String> {
        let (founders, members) = (self.settings.members, self.settings.slots());
        if founders == 0 || self.clocks.len() != members {
            return Err(format!("{members} members and {} clocks", self.clocks.len()));
        }
        if self.keys == 0 {
            return Err("no keys".to_string());
        }
        match self.strikes.iter().find(|strike| strike.trouble.members().iter().any(|&slot| slot >= members))
        {
            Some(strike) => Err(format!("there are {members} members, and a strike is: {strike}")),
            None => self.doom.check(founders, &self.strikes),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed      {:#x}", self.seed)?;
        writeln!(f, "settings  {}", self.settings)?;
        writeln!(f, "weather   {}", self.weather)?;
        writeln!(f, "disk      append {}; sync {}", self.disk.append, self.disk.sync)?;
        writeln!(f, "clients   {} on {} keys: {}", self.clients, self.keys, self.mix)?;
        writeln!(f, "manners   {}", self.manners)?;
        if let Some(contest) = self.contenders.first() {
            let by = if self.services { " by the members' services" } else { "" };
            writeln!(f, "turns     {} contend for {contest}{by}", self.contenders.len())?;
        }
        if self.users > 0 {
            writeln!(f, "users     {}", self.users)?;
        }
        for watcher in &self.watchers {
            writeln!(f, "watcher   {watcher}")?;
        }
        writeln!(f, "storm     {} ms", self.storm_ns / 1_000_000)?;
        writeln!(f, "doomed    {}", self.doom)?;
        for strike in &self.strikes {
            writeln!(f, "strike    {strike}")?;
        }
        for trap in &self.traps {
            writeln!(f, "trap      {trap}")?;
        }
        for step in &self.reforms {
            writeln!(f, "reform    {step}")?;
        }
        Ok(())
    }
}
