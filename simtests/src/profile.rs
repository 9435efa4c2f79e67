//! Profiles: which stories seeds are drawn into. A seed means something only together with its profile.
use crate::{
    client::watcher::Wish,
    nemesis::{Doom, LastBlow},
    plan::Plan,
};
use detcd_core::Plants;
use detcd_runtime_sim::{Concern, Dice, clock::Clock, links::Weather};
use std::{fmt, str::FromStr};

/// Plans are drawn again at most so often until something of the wished kind goes wrong in them.
const TRIES: u64 = 16;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Profile {
    /// Every seed draws its own size, settings, mix and its own subset of what can go wrong.
    #[default]
    Swarm,
    /// At most three members and short storms: many seeds in little time.
    Quick,
    /// Disks and power; the links are fine.
    Disk,
    /// Many watchers, deletes and compactions.
    Watch,
    /// Many leases.
    Lease,
    /// Users with permissions that change.
    Auth,
    /// Members are added, removed and replaced.
    Members,
}

impl Profile {
    pub const ALL: [Profile; 7] = [
        Profile::Swarm,
        Profile::Quick,
        Profile::Disk,
        Profile::Watch,
        Profile::Lease,
        Profile::Auth,
        Profile::Members,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Profile::Swarm => "swarm",
            Profile::Quick => "quick",
            Profile::Disk => "disk",
            Profile::Watch => "watch",
            Profile::Lease => "lease",
            Profile::Auth => "auth",
            Profile::Members => "members",
        }
    }

    pub const fn about(self) -> &'static str {
        match self {
            Profile::Swarm => "everything, each seed with its own subset",
            Profile::Quick => "at most three members and short storms",
            Profile::Disk => "disks and power; the links are fine",
            Profile::Watch => "many watchers, deletes and compactions",
            Profile::Lease => "many leases",
            Profile::Auth => "users with permissions that change",
            Profile::Members => "members that are added, removed and replaced",
        }
    }

    pub(crate) fn members_max(self) -> usize {
        if self == Profile::Quick { 3 } else { 5 }
    }

    /// Election timeouts are what a story's length is measured in.
    pub(crate) fn election_ms_max(self) -> u64 {
        if self == Profile::Quick { 100 } else { u64::MAX }
    }

    pub(crate) fn storm_ms(self, drawn: u64) -> u64 {
        if self == Profile::Quick { (drawn / 3).max(700) } else { drawn }
    }

    /// The plan of a seed.
    pub fn plan(self, seed: u64, plants: Plants) -> Plan {
        let mut plan = Plan::draw(seed, self, plants);
        let dice = &mut Dice::split(seed, Concern::Plan, 1);
        match self {
            Profile::Swarm | Profile::Quick => {}
            Profile::Disk => {
                plan.weather = Weather::FINE;
                plan.settings.segment_bytes = *dice.pick(&[2_000, 2_000, 8_000]);
                plan.large_permille = *dice.pick(&[50, 300, 600]);
                let mut number = 2;
                loop {
                    plan.strikes.retain(|strike| is_of_disks(strike.trouble.name()));
                    if !plan.strikes.is_empty() || number > TRIES {
                        break;
                    }
                    let dice = &mut Dice::split(seed, Concern::Faults, number);
                    let election_ns = plan.settings.election.as_nanos();
                    plan.strikes =
                        crate::nemesis::draw(dice, plan.settings.members, plan.storm_ns, election_ns).0;
                    number += 1;
                }
            }
            Profile::Watch => {
                while plan.watchers.len() < 4 {
                    plan.watchers.push(Wish::draw(dice, plan.storm_ns));
                }
                plan.mix.delete = plan.mix.delete.max(10);
                plan.mix.delete_range = plan.mix.delete_range.max(3);
                plan.mix.compact = dice.between(2, 12);
            }
            Profile::Lease => plan.mix.lease = dice.between(40, 150),
            Profile::Auth => plan.users = dice.between(2, 5) as u32,
            Profile::Members => change_members(&mut plan, dice),
        }
        plan
    }
}

/// Somebody changes the members while things go wrong. No disk destroys what it called safe: who may be lost would be
/// another question after every change.
fn change_members(plan: &mut Plan, dice: &mut Dice) {
    plan.settings.spares = dice.between(2, 3) as usize;
    plan.settings.strict_reconfig = dice.permille(200);
    plan.settings.members = [1, 2, 3, 4][dice.weighted(&[3, 1, 5, 1])];
    let slots = plan.settings.slots();
    let drift = plan.clocks.first().map_or(0, |clock| clock.drift_ppm.abs());
    plan.clocks = (0..slots)
        .map(|_| Clock {
            origin_ns: dice.below(1 << 40),
            drift_ppm: dice.between(0, 2 * drift.unsigned_abs()) as i64 - drift,
            wall_offset_ns: dice.below(3_600_000_000_000),
        })
        .collect();
    let election_ns = plan.settings.election.as_nanos();
    let faults = &mut Dice::split(plan.seed, Concern::Faults, 5);
    (plan.strikes, plan.traps) = crate::nemesis::draw(faults, slots, plan.storm_ns, election_ns);
    plan.doom = Doom::default();
    if dice.permille(300) && plan.settings.members >= 3 {
        plan.doom.last_blow = LastBlow::Beheads;
    }
    plan.contenders.clear();
    plan.reforms = crate::reform::draw(dice, plan.storm_ns);
}

/// Kinds of trouble, by name, that a disk can have or that show what it kept.
fn is_of_disks(name: &str) -> bool {
    ["disk", "power", "crash", "restart", "failing"].iter().any(|word| name.contains(word))
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Profile, String> {
        if let Some(profile) = Profile::ALL.into_iter().find(|profile| profile.name() == text) {
            return Ok(profile);
        }
        let known: Vec<&str> = Profile::ALL.into_iter().map(Profile::name).collect();
        Err(format!("there is no profile {text}; there are {}", known.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for profile in Profile::ALL {
            assert_eq!(profile.name().parse(), Ok(profile));
        }
        assert!("noise".parse::<Profile>().unwrap_err().contains("swarm"));
    }

    #[test]
    fn quick_is_small_and_the_others_keep_to_their_area() {
        for seed in 0..200 {
            let swarm = Profile::Swarm.plan(seed, Plants::NONE);
            let quick = Profile::Quick.plan(seed, Plants::NONE);
            assert!(quick.settings.members <= 3 && quick.storm_ns < swarm.storm_ns);
            let disk = Profile::Disk.plan(seed, Plants::NONE);
            assert!(!disk.strikes.is_empty(), "seed {seed}: nothing falls on the disks");
            assert!(disk.strikes.iter().all(|strike| is_of_disks(strike.trouble.name())));
            assert!(Profile::Watch.plan(seed, Plants::NONE).watchers.len() >= 4);
            assert!(Profile::Lease.plan(seed, Plants::NONE).mix.lease >= 40);
            assert!(Profile::Auth.plan(seed, Plants::NONE).users >= 2);
            let members = Profile::Members.plan(seed, Plants::NONE);
            assert!(members.settings.spares > 0 && members.reforms.len() >= 2);
            assert_eq!(members.check(), Ok(()));
            assert!(swarm.reforms.is_empty());
            assert_eq!(swarm.users, 0);
        }
    }
}
