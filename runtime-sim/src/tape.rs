//! Every choice of a run, in order and with the place that made it: a run can be saved and played again from its
//! choices alone, whatever the seed would give today.
//!
//! A seed is only the generator of a tape. When code changes, a seed may tell another story; a tape tells the old one as
//! long as the questions stay the same, and says at which question they first do not. Each generator has a reel of its
//! own, so that a new consumer of one concern does not shift the others.
//!
//! The tape belongs to the thread of the run. What madsim itself draws (which ready task runs next) grows from one number
//! on the reel of the schedule.
use serde::{Deserialize, Serialize};
use std::{cell::RefCell, collections::BTreeMap, panic::Location};

/// Which generator: concern, number, and the seed it was split from.
type Name = (u8, u64, u64);

/// The choices of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tape {
    /// Where choices are made, as `file:line`.
    places: Vec<String>,
    reels: Vec<Reel>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Reel {
    name: Name,
    /// Three numbers a choice: place, how many there were to choose from (0: any number of 64 bits), what was chosen.
    choices: Vec<u64>,
}

impl Tape {
    pub fn choices(&self) -> usize {
        self.reels.iter().map(|reel| reel.choices.len() / 3).sum()
    }
}

/// What the tape is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Record,
    Play,
}

struct Deck {
    using: Use,
    tape: Tape,
    known: BTreeMap<Name, usize>,
    /// How far each reel has been played.
    at: Vec<usize>,
    place_ids: BTreeMap<(&'static str, u32), u64>,
    /// The first question that was not the one on the tape.
    strayed: Option<String>,
}

thread_local! {
    static DECK: RefCell<Option<Deck>> = const { RefCell::new(None) };
}

fn insert(using: Use, tape: Tape) {
    let known = tape.reels.iter().enumerate().map(|(i, reel)| (reel.name, i)).collect();
    let at = vec![0; tape.reels.len()];
    DECK.set(Some(Deck { using, tape, known, at, place_ids: BTreeMap::new(), strayed: None }));
}

/// Records what this thread's generators choose from now on.
pub fn record() {
    insert(Use::Record, Tape::default());
}

/// Lets this thread's generators choose what stands on the tape. Where a question differs from the one on the tape, and
/// behind its end, they draw.
pub fn play(tape: Tape) {
    insert(Use::Play, tape);
}

/// Ends recording or playing: the tape, and where playing it first went astray.
pub fn take() -> Option<(Tape, Option<String>)> {
    DECK.take().map(|deck| (deck.tape, deck.strayed))
}

/// The reel of a new generator; none if no tape is in use.
pub(crate) fn reel(concern: u8, number: u64, seed: u64) -> Option<usize> {
    DECK.with_borrow_mut(|deck| {
        let deck = deck.as_mut()?;
        let name = (concern, number, seed);
        if let Some(&reel) = deck.known.get(&name) {
            return Some(reel);
        }
        if deck.using == Use::Play {
            return None;
        }
        let reel = deck.tape.reels.len();
        deck.tape.reels.push(Reel { name, choices: Vec::new() });
        deck.at.push(0);
        deck.known.insert(name, reel);
        Some(reel)
    })
}

/// A choice among `n` (0: any number): drawn and noted, or read.
pub(crate) fn choose(
    reel: usize,
    n: u64,
    place: &'static Location<'static>,
    draw: impl FnOnce() -> u64,
) -> u64 {
    DECK.with_borrow_mut(|deck| {
        let Some(deck) = deck else { return draw() };
        match deck.using {
            Use::Record => {
                let value = draw();
                let id = deck.place(place);
                deck.tape.reels[reel].choices.extend([id, n, value]);
                value
            }
            Use::Play => deck.read(reel, n, place).unwrap_or_else(draw),
        }
    })
}

impl Deck {
    fn place(&mut self, place: &'static Location<'static>) -> u64 {
        let places = &mut self.tape.places;
        *self.place_ids.entry((place.file(), place.line())).or_insert_with(|| {
            places.push(format!("{}:{}", place.file(), place.line()));
            places.len() as u64 - 1
        })
    }

    fn read(&mut self, reel: usize, n: u64, place: &Location<'_>) -> Option<u64> {
        let at = self.at[reel];
        let choices = &self.tape.reels[reel].choices;
        let next = choices.get(3 * at..3 * at + 3);
        self.at[reel] = at + 1;
        match next {
            Some(&[_, among, value]) if among == n => Some(value),
            _ => {
                let was = next.map_or_else(
                    || "the tape ends".to_owned(),
                    |next| {
                        let place = self.tape.places.get(next[0] as usize).map_or("?", String::as_str);
                        format!("the tape has one among {} at {place}", next[1])
                    },
                );
                self.strayed.get_or_insert_with(|| {
                    let (concern, number, _) = self.tape.reels[reel].name;
                    format!(
                        "choice {at} of generator {concern}.{number} is one among {n} at {}:{}, and {was}",
                        place.file(),
                        place.line()
                    )
                });
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::{Concern, Dice};

    fn draw(seed: u64, extra: bool) -> Vec<u64> {
        let (mut links, mut disk) = (Dice::new(seed, Concern::Links), Dice::split(seed, Concern::Disk, 3));
        let mut drawn: Vec<u64> = (0..20).map(|i| links.below(100 + i)).collect();
        if extra {
            drawn.push(disk.below(7));
        }
        drawn.extend([links.u64(), u64::from(disk.permille(500)), disk.weighted(&[1, 2, 3]) as u64]);
        drawn
    }

    #[test]
    fn what_was_recorded_is_what_is_played() {
        record();
        let before = draw(5, false);
        let (tape, strayed) = take().unwrap();
        assert_eq!((tape.choices(), strayed), (23, None));
        let json = serde_json::to_string(&tape).unwrap();
        let tape: Tape = serde_json::from_str(&json).unwrap();
        play(tape.clone());
        assert_eq!(draw(5, false), before);
        assert_eq!(take(), Some((tape.clone(), None)), "playing changes nothing on it");

        play(tape);
        let strayed = draw(5, true);
        assert_eq!(strayed[..20], before[..20], "the other reel is not shifted");
        assert_eq!(strayed[21], before[20]);
        let text = take().unwrap().1.expect("a question too many shows");
        assert!(text.starts_with("choice 0 of generator 3.3 is one among 7 at "), "{text}");
        assert!(take().is_none());
    }
}
