//! What a seed stands for: the cluster, its world, its clients, and what goes wrong when. Drawn before the run begins,
//! from generators of its own, and plain data: a plan can be printed, kept in a file, made smaller and played again.
use crate::{
    client::{Manners, locker::Contest, watcher::Wish},
    cluster::Settings,
    nemesis::{self, Strike, Trap},
    workload::Mix,
};
use detcd_core::{Plants, Span};
use detcd_runtime_sim::{Concern, Dice, Latency, clock::Clock, disk::Knobs, links::Weather};
use serde::{Deserialize, Serialize};
use std::fmt;

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
    pub manners: Manners,
    /// What the watchers want, one each.
    pub watchers: Vec<Wish>,
    /// How long things go wrong, in nanoseconds; then everything heals.
    pub storm_ns: u64,
    pub strikes: Vec<Strike>,
    pub traps: Vec<Trap>,
}

impl Plan {
    /// Swarm: every seed draws its own size, settings, mix and its own subset of what can go wrong.
    pub fn draw(seed: u64, plants: Plants) -> Plan {
        let dice = &mut Dice::new(seed, Concern::Plan);
        let members = [1, 3, 5][dice.weighted(&[15, 60, 25])];
        let election_ms = *dice.pick(&[60, 100, 250, 1000]);
        let settings = Settings {
            members,
            heartbeat: Span::millis((election_ms / 10).max(10)),
            election: Span::millis(election_ms),
            pre_vote: dice.coin(),
            segment_bytes: *dice.pick(&[2_000, 8_000, 64_000_000]),
            max_message_bytes: *dice.pick(&[300, 4_096, 512 * 1024]),
            max_inflight_messages: *dice.pick(&[2, 16, 512]),
            plants,
        };
        // A fixed number of things happens per election timeout, so that slow clusters are not better tested.
        let storm_ns = (election_ms * dice.between(12, 30)).clamp(1_500, 12_000) * 1_000_000;
        let clients = [1, 2, 3, 5, 12][dice.weighted(&[2, 3, 3, 3, 1])];
        let keys = *dice.pick(&[1, 2, 3, 5, 8]);
        let large_permille = *dice.pick(&[0, 0, 50, 300]);
        let mix = Mix::draw(dice);
        let manners = Manners {
            link: Latency::new(50, 300, 10, 10_000),
            loss_permille: *dice.pick(&[0, 0, 10, 50]),
            // Whoever gives up soon leaves many writes behind with a leader that is cut off.
            patience_ns: election_ms * *dice.pick(&[250, 1_000, 2_000, 4_000, 8_000]) * 1_000,
            think: Latency::new(100, storm_ns / 1000 / dice.between(50, 250), 50, 50_000),
            loyalty_permille: *dice.pick(&[0, 300, 900]),
        };
        let weather = Weather {
            latency: *dice.pick(&[
                Latency::new(80, 400, 10, 5_000),
                Latency::new(500, 3_000, 20, 20_000),
                Latency::new(100, 200, 100, 10_000),
            ]),
            loss_permille: *dice.pick(&[0, 0, 5, 30]),
            repeat_permille: *dice.pick(&[0, 0, 20]),
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
        let watchers = (0..[0, 1, 2, 4][dice.weighted(&[3, 3, 3, 1])]).map(|_| Wish::draw(dice)).collect();
        let dice = &mut Dice::split(seed, Concern::Plan, 1);
        let contest = if dice.coin() { Contest::Lock } else { Contest::Election };
        let contenders = vec![contest; [0, 2, 3, 5][dice.weighted(&[14, 2, 3, 1])]];
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
        let (strikes, traps) = nemesis::draw(dice, members, storm_ns, election_ms * 1_000_000);
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
            manners,
            watchers,
            storm_ns,
            strikes,
            traps,
        }
    }

    /// Whether it can be played: whoever makes a plan by hand or makes one smaller may have left a hole. Err says
    /// where.
    pub fn check(&self) -> Result<(), String> {
        let members = self.settings.members;
        if members == 0 || self.clocks.len() != members {
            return Err(format!("{members} members and {} clocks", self.clocks.len()));
        }
        if self.keys == 0 {
            return Err("no keys".to_string());
        }
        match self.strikes.iter().find(|strike| strike.trouble.members().iter().any(|&slot| slot >= members))
        {
            Some(strike) => Err(format!("there are {members} members, and a strike is: {strike}")),
            None => Ok(()),
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
            writeln!(f, "turns     {} contend for {contest}", self.contenders.len())?;
        }
        for watcher in &self.watchers {
            let (key, end) = (watcher.key.escape_ascii(), watcher.range_end.escape_ascii());
            write!(f, "watcher   {key}")?;
            if !watcher.range_end.is_empty() {
                write!(f, " up to {end}")?;
            }
            for (set, text) in [
                (watcher.no_puts, "without puts"),
                (watcher.no_deletes, "without deletes"),
                (watcher.prev_kv, "with the previous pair"),
            ] {
                if set {
                    write!(f, ", {text}")?;
                }
            }
            writeln!(f)?;
        }
        writeln!(f, "storm     {} ms", self.storm_ns / 1_000_000)?;
        for strike in &self.strikes {
            writeln!(f, "strike    {strike}")?;
        }
        for trap in &self.traps {
            writeln!(f, "trap      {trap}")?;
        }
        Ok(())
    }
}
