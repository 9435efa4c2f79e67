//! The links between members: slow, lossy, repeating, one-way, and cut at delivery as well as at sending.
use crate::chance::{Dice, Latency};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How one direction of one link behaves.
#[derive(Clone, Debug)]
pub struct Link {
    /// How many reasons there are for it to be cut.
    pub cuts: u32,
    pub latency: Latency,
    pub loss_permille: u64,
    pub repeat_permille: u64,
    /// Messages do not overtake each other, as on one TCP connection.
    pub in_order: bool,
    /// Cut for good: no mending helps.
    pub severed: bool,
    /// What arrives at its end arrives here too, by mistake.
    pub stray: Option<usize>,
    /// No message arrives before the one sent before it, if `in_order`.
    last_arrival: u64,
    /// How many reasons there are for it to be clogged: what arrives is held back and not lost.
    clogs: u32,
    held: Vec<Frame>,
    /// On top of the latency, in nanoseconds.
    pub slowness_ns: u64,
    /// So many messages can be under way; what is sent then is lost, as by a full socket.
    pub window: u32,
    under_way: u32,
    /// Keeps a copy of what arrives, to let it arrive once more.
    echo: Option<Vec<Frame>>,
}

/// Most messages that a link holds back, and most that it repeats at once.
const HELD_MAX: usize = 4096;
const ECHO_MAX: usize = 64;

/// An encoded message on its way.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub kind: i32,
    pub sum: u64,
    pub bytes: Bytes,
}

impl Link {
    /// Keeps a message for later; false if no more can be kept.
    pub(crate) fn hold(&mut self, frame: Frame) -> bool {
        let fits = self.held.len() < HELD_MAX;
        if fits {
            self.held.push(frame);
        }
        fits
    }

    pub(crate) fn is_clogged(&self) -> bool {
        self.clogs > 0
    }

    pub(crate) fn clog(&mut self) {
        self.clogs += 1;
    }

    /// Takes a reason away; what was held, in order, if it was the last one.
    pub(crate) fn unclog(&mut self) -> Vec<Frame> {
        self.clogs = self.clogs.saturating_sub(1);
        if self.clogs == 0 { std::mem::take(&mut self.held) } else { Vec::new() }
    }

    pub(crate) fn listen(&mut self) {
        self.echo.get_or_insert_default();
    }

    pub(crate) fn overhear(&mut self, frame: &Frame) {
        if let Some(echo) = &mut self.echo
            && echo.len() < ECHO_MAX
        {
            echo.push(frame.clone());
        }
    }

    pub(crate) fn take_echo(&mut self) -> Vec<Frame> {
        self.echo.take().unwrap_or_default()
    }

    /// A message has left the link.
    pub(crate) fn arrived(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// Whether one more message finds room.
    pub(crate) fn has_room(&self) -> bool {
        self.under_way < self.window
    }
}

/// How links behave when nothing is wrong with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weather {
    pub latency: Latency,
    pub loss_permille: u64,
    pub repeat_permille: u64,
    pub in_order: bool,
}

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {} in 1000 lost, {} in 1000 repeated, {}",
            self.latency,
            self.loss_permille,
            self.repeat_permille,
            if self.in_order { "in order" } else { "in any order" }
        )
    }
}

impl Weather {
    pub const FINE: Weather = Weather {
        latency: Latency::new(80, 400, 10, 20_000),
        loss_permille: 0,
        repeat_permille: 0,
        in_order: true,
    };
}

/// All directed links of `n` members.
#[derive(Debug)]
pub struct Links {
    n: usize,
    links: Vec<Link>,
    fine: Weather,
}

/// When the copies of a message arrive; none: it is lost.
pub type Arrivals = [Option<u64>; 2];

impl Links {
    pub fn new(n: usize, fine: Weather) -> Links {
        let link = Link {
            cuts: 0,
            latency: fine.latency,
            loss_permille: fine.loss_permille,
            repeat_permille: fine.repeat_permille,
            in_order: fine.in_order,
            severed: false,
            stray: None,
            last_arrival: 0,
            clogs: 0,
            held: Vec::new(),
            slowness_ns: 0,
            window: u32::MAX,
            under_way: 0,
            echo: None,
        };
        Links { n, links: vec![link; n * n], fine }
    }

    pub fn of(&self, from: usize, to: usize) -> &Link {
        &self.links[from * self.n + to]
    }

    pub fn of_mut(&mut self, from: usize, to: usize) -> &mut Link {
        &mut self.links[from * self.n + to]
    }

    pub fn is_cut(&self, from: usize, to: usize) -> bool {
        let link = self.of(from, to);
        link.cuts > 0 || link.severed
    }

    pub fn cut(&mut self, from: usize, to: usize) {
        self.of_mut(from, to).cuts += 1;
    }

    pub fn mend(&mut self, from: usize, to: usize) {
        let link = self.of_mut(from, to);
        link.cuts = link.cuts.saturating_sub(1);
    }

    /// This weather on every link, cuts aside.
    pub fn set_weather(&mut self, weather: Weather) {
        for link in &mut self.links {
            link.latency = weather.latency;
            link.loss_permille = weather.loss_permille;
            link.repeat_permille = weather.repeat_permille;
            link.in_order = weather.in_order;
        }
    }

    /// As the run began: nothing cut, nothing lost that was not lost then. What is held back stays so until its link
    /// is unclogged.
    pub fn heal(&mut self) {
        for link in &mut self.links {
            link.cuts = 0;
            link.stray = None;
            link.clogs = link.clogs.min(1);
            link.slowness_ns = 0;
            link.window = u32::MAX;
            link.echo = None;
        }
        self.set_weather(self.fine);
    }

    pub fn fine(&self) -> Weather {
        self.fine
    }

    /// Draws the fate of a message sent now. Not every message may be repeated.
    pub fn send(&mut self, now: u64, from: usize, to: usize, may_repeat: bool, dice: &mut Dice) -> Arrivals {
        let link = self.of_mut(from, to);
        let mut arrivals = [None, None];
        if link.cuts > 0 || link.severed || dice.permille(link.loss_permille) {
            return arrivals;
        }
        let copies = 1 + usize::from(dice.permille(link.repeat_permille) && may_repeat);
        for arrival in arrivals.iter_mut().take(copies) {
            let mut at = now + link.latency.draw(dice) + link.slowness_ns;
            if link.in_order {
                at = at.max(link.last_arrival + 1);
                link.last_arrival = at;
            }
            link.under_way += 1;
            *arrival = Some(at);
        }
        arrivals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Concern;

    fn storm() -> Weather {
        Weather {
            latency: Latency::new(100, 1_000, 100, 50_000),
            loss_permille: 200,
            repeat_permille: 200,
            in_order: false,
        }
    }

    #[test]
    fn a_storm_loses_repeats_and_lets_overtake() {
        let mut dice = Dice::new(3, Concern::Links);
        let mut links = Links::new(3, storm());
        let fates: Vec<Arrivals> = (0..2000).map(|i| links.send(i * 10_000, 0, 1, true, &mut dice)).collect();
        let lost = fates.iter().filter(|fate| fate[0].is_none()).count();
        let repeated = fates.iter().filter(|fate| fate[1].is_some()).count();
        let overtakes =
            fates.windows(2).filter(|w| matches!((w[0][0], w[1][0]), (Some(a), Some(b)) if b < a)).count();
        assert!((300..500).contains(&lost), "{lost}");
        assert!((230..430).contains(&repeated), "{repeated}");
        assert!(overtakes > 100, "{overtakes}");
    }

    #[test]
    fn in_order_nothing_overtakes() {
        let mut dice = Dice::new(3, Concern::Links);
        let mut links = Links::new(2, Weather { in_order: true, ..storm() });
        let mut last = 0;
        for i in 0..2000 {
            for at in links.send(i * 1_000, 0, 1, true, &mut dice).into_iter().flatten() {
                assert!(at > last);
                last = at;
            }
        }
    }

    #[test]
    fn a_cut_is_one_way_and_counted() {
        let mut dice = Dice::new(3, Concern::Links);
        let mut links = Links::new(3, Weather::FINE);
        links.cut(0, 1);
        links.cut(0, 1);
        links.mend(0, 1);
        assert_eq!(links.send(0, 0, 1, true, &mut dice), [None, None]);
        assert!(links.send(0, 1, 0, true, &mut dice)[0].is_some());
        assert!(links.send(0, 0, 2, true, &mut dice)[0].is_some());
        links.mend(0, 1);
        assert!(links.send(0, 0, 1, true, &mut dice)[0].is_some());
        links.set_weather(storm());
        links.cut(1, 0);
        links.heal();
        assert!((0..100).all(|i| links.send(i, 1, 0, true, &mut dice)[0].is_some()));
    }
}
