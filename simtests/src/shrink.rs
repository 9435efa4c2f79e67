//! Makes a failing plan small: fewer faults, clients, members, less time, simpler links and disks, as long as the same
//! judge still says no.
//!
//! A plan without one of its strikes is another story: what follows is drawn alike but happens at other moments. So a
//! candidate is tried with its own seed and with a few others, and whichever fails is kept. The result is played twice
//! before anybody is told.
use crate::{
    nemesis::{Doom, LastBlow},
    plan::Plan,
    story::{self, Choices, Options, Outcome, Played, Verdict},
};
use detcd_runtime_sim::{Latency, chance::mix, clock::Clock, disk::Knobs, links::Weather};
use std::time::{Duration, Instant};

/// Seeds that a candidate is tried with beside its own.
const OTHER_SEEDS: u64 = 4;

/// What shrinking came to.
#[derive(Debug)]
pub struct Shrunk {
    pub plan: Plan,
    /// The last play of it, with its choices.
    pub played: Played,
    /// Plans that were played on the way.
    pub tried: u64,
    /// It was played twice more, and did the same both times.
    pub is_stable: bool,
}

/// How many faults a plan brings: every strike, and every snap of a trap.
pub fn faults(plan: &Plan) -> u64 {
    let doomed = plan.doom.leaving.len() as u64 + u64::from(plan.doom.last_blow != LastBlow::None);
    plan.strikes.len() as u64 + plan.traps.iter().map(|trap| trap.times).sum::<u64>() + doomed
}

/// What a small plan comes to, in one line.
pub fn in_one_line(plan: &Plan) -> String {
    let count = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    let mut parts = vec![
        count(plan.settings.members, "member", "members"),
        count(plan.clients as usize, "client", "clients"),
    ];
    if !plan.watchers.is_empty() {
        parts.push(count(plan.watchers.len(), "watcher", "watchers"));
    }
    let mut line = parts.join(", ");
    for strike in &plan.strikes {
        line += &format!("; {strike}");
    }
    for trap in &plan.traps {
        line += &format!("; {trap}");
    }
    for step in &plan.reforms {
        line += &format!("; {step}");
    }
    if plan.doom != Doom::default() {
        line += &format!("; {}", plan.doom);
    }
    if faults(plan) == 0 {
        line += "; no fault needed";
    }
    line
}

/// Shrinks a plan that fails under these options, for about `budget`. None: it does not fail.
pub fn shrink(
    plan: &Plan,
    options: Options,
    budget: Duration,
    progress: impl FnMut(&Plan, u64),
) -> Option<Shrunk> {
    let outcome = story::play(plan.clone(), options);
    let Verdict::Fail { judge, .. } = &outcome.verdict else { return None };
    let mut hunt = Hunt {
        judge: judge.clone(),
        options,
        ends: Instant::now() + budget,
        tried: 1,
        best: plan.clone(),
        outcome,
        progress,
    };
    hunt.run();
    let Hunt { best, tried, .. } = hunt;
    let played = story::play_with(best.clone(), options, Choices::Record);
    let again = story::play(best.clone(), options);
    let taped = played.tape.clone().map(|tape| story::play_with(best.clone(), options, Choices::Play(tape)));
    let is_stable = again.digest == played.outcome.digest
        && taped
            .is_some_and(|taped| taped.outcome.digest == played.outcome.digest && taped.strayed.is_none());
    Some(Shrunk { plan: best, played, tried: tried + 3, is_stable })
}

struct Hunt<P> {
    judge: String,
    options: Options,
    ends: Instant,
    tried: u64,
    best: Plan,
    /// Of the best.
    outcome: Outcome,
    progress: P,
}

impl<P: FnMut(&Plan, u64)> Hunt<P> {
    fn is_over(&self) -> bool {
        Instant::now() >= self.ends
    }

    fn run(&mut self) {
        loop {
            let before = self.best.clone();
            self.stop_earlier();
            self.fewer_faults();
            self.fewer_actors();
            self.simpler_world();
            self.simpler_faults();
            if self.best == before || self.is_over() {
                return;
            }
        }
    }

    /// Keeps the candidate if it fails for the same reason.
    fn accept(&mut self, candidate: Plan) -> bool {
        if candidate == self.best || candidate.check().is_err() {
            return false;
        }
        for i in 0..=OTHER_SEEDS {
            if self.is_over() {
                return false;
            }
            let seed = if i == 0 { candidate.seed } else { mix(self.best.seed ^ mix(i)) };
            let plan = Plan { seed, ..candidate.clone() };
            let outcome = story::play(plan.clone(), self.options);
            self.tried += 1;
            if matches!(&outcome.verdict, Verdict::Fail { judge, .. } if *judge == self.judge) {
                self.best = plan;
                self.outcome = outcome;
                (self.progress)(&self.best, self.tried);
                return true;
            }
        }
        false
    }

    /// One edit of the best plan.
    fn edit(&mut self, edit: impl FnOnce(&mut Plan)) -> bool {
        let mut candidate = self.best.clone();
        edit(&mut candidate);
        self.accept(candidate)
    }

    /// The storm need not last longer than it takes to fail.
    fn stop_earlier(&mut self) {
        if let Some(at) = self.outcome.failed_ns.filter(|&at| at < self.best.storm_ns) {
            self.edit(|plan| plan.storm_ns = at + 1_000_000);
        }
        while self.best.storm_ns > 300_000_000 && self.edit(|plan| plan.storm_ns = plan.storm_ns * 2 / 3) {}
        let ends = self.best.storm_ns;
        self.edit(|plan| {
            plan.strikes.retain(|strike| strike.at_ns < ends);
            plan.traps.retain(|trap| trap.armed_at_ns < ends);
        });
    }

    fn fewer_faults(&mut self) {
        self.drop_chunks(|plan| plan.strikes.len(), |plan, from, to| drop(plan.strikes.drain(from..to)));
        self.drop_chunks(|plan| plan.traps.len(), |plan, from, to| drop(plan.traps.drain(from..to)));
        self.drop_chunks(|plan| plan.reforms.len(), |plan, from, to| drop(plan.reforms.drain(from..to)));
        for i in 0..self.best.traps.len() {
            while self.best.traps[i].times > 1 && self.edit(|plan| plan.traps[i].times -= 1) {}
        }
    }

    /// All, halves, quarters … single ones.
    fn drop_chunks(&mut self, len: impl Fn(&Plan) -> usize, remove: impl Fn(&mut Plan, usize, usize)) {
        let mut chunk = len(&self.best);
        while chunk > 0 {
            let mut from = 0;
            while from < len(&self.best) {
                let to = (from + chunk).min(len(&self.best));
                if !self.edit(|plan| remove(plan, from, to)) {
                    from = to;
                }
            }
            chunk /= 2;
        }
    }

    fn fewer_actors(&mut self) {
        self.edit(|plan| plan.doom = Doom::default());
        self.edit(|plan| plan.doom.leaving.clear());
        self.edit(|plan| plan.doom.last_blow = LastBlow::None);
        self.drop_chunks(|plan| plan.watchers.len(), |plan, from, to| drop(plan.watchers.drain(from..to)));
        self.drop_chunks(
            |plan| plan.contenders.len(),
            |plan, from, to| drop(plan.contenders.drain(from..to)),
        );
        for clients in [1, 2, 3, 5] {
            if clients < self.best.clients && self.edit(|plan| plan.clients = clients) {
                break;
            }
        }
        for members in [1, 3] {
            let fits = |plan: &mut Plan| {
                plan.settings.members = members;
                plan.clocks.truncate(plan.settings.slots());
                plan.doom.damaged.retain(|&member| member < members);
                plan.doom.leaving.retain(|&member| member < members);
                plan.doom.liar = plan.doom.liar.filter(|&member| member < members);
                plan.strikes.retain(|strike| {
                    strike.trouble.members().iter().all(|&member| member < plan.clocks.len())
                });
            };
            if members < self.best.settings.members && self.edit(fits) {
                break;
            }
        }
    }

    fn simpler_world(&mut self) {
        self.edit(|plan| {
            plan.weather = Weather::FINE;
            plan.disk = Knobs::default();
            plan.clocks.fill(Clock::TRUE);
            plan.manners.loss_permille = 0;
            plan.large_permille = 0;
        });
        self.edit(|plan| plan.weather = Weather::FINE);
        self.edit(|plan| plan.weather.latency = Latency::new(100, 100, 0, 0));
        self.edit(|plan| plan.disk = Knobs::default());
        self.edit(|plan| plan.clocks.fill(Clock::TRUE));
        self.edit(|plan| plan.manners.loss_permille = 0);
        self.edit(|plan| plan.large_permille = 0);
        self.edit(|plan| plan.keys = 1);
        self.edit(|plan| plan.mix = plan.mix.only_puts_and_gets());
        self.edit(|plan| plan.settings.segment_bytes = 64_000_000);
        self.edit(|plan| plan.settings.max_message_bytes = 512 * 1024);
        self.edit(|plan| plan.settings.max_inflight_messages = 512);
        self.edit(|plan| plan.settings.pre_vote = true);
        self.edit(|plan| plan.settings.max_apply_bytes = 16 << 20);
        self.edit(|plan| plan.settings.max_uncommitted_bytes = 1 << 30);
    }

    fn simpler_faults(&mut self) {
        for i in 0..self.best.traps.len() {
            self.edit(|plan| plan.traps[i].delay_ns = 0);
            while self.best.traps[i].skip > 0 && self.edit(|plan| plan.traps[i].skip /= 2) {}
        }
        for i in 0..self.best.strikes.len() {
            while self.best.strikes[i].lasting_ns > 2_000_000
                && self.edit(|plan| plan.strikes[i].lasting_ns /= 2)
            {}
        }
    }
}
