//! Courses: several blows in an order, for bugs that one blow at the worst moment does not show.
use super::aimed::{Jaw, Moment, Trap};
use detcd_runtime_sim::Dice;

/// Adds the traps of one course, or of none.
pub fn draw(dice: &mut Dice, members: usize, storm_ns: u64, election_ns: u64, traps: &mut Vec<Trap>) {
    if members < 3 {
        return;
    }
    match dice.weighted(&[600, if members == 5 { 250 } else { 80 }, 120, 80]) {
        1 => figure_8(dice, election_ns, traps),
        2 => traps.push(read(dice, storm_ns, election_ns, Moment::Polling, Jaw::Stall)),
        3 => traps.push(read(dice, storm_ns, election_ns, Moment::Asking, Jaw::StallAndDepose)),
        _ => {}
    }
}

/// One leader after the other dies when what it said is with one or two others only: the course of figure 8 of the
/// Raft paper, in which an entry of an earlier term is on a majority and is overwritten all the same.
fn figure_8(dice: &mut Dice, election_ns: u64, traps: &mut Vec<Trap>) {
    let armed_at_ns = dice.below(election_ns * 2);
    let each = dice.between(3, 8);
    for skip in 0..each {
        traps.push(Trap {
            moment: Moment::Elected,
            jaw: *dice.pick(&[Jaw::Whisper, Jaw::Murmur, Jaw::Gasp, Jaw::Gasp]),
            armed_at_ns,
            skip,
            delay_ns: if dice.coin() { 0 } else { dice.below(4_000_000) },
            lasting_ns: dice.between(election_ns, election_ns * 3),
            times: 1,
        });
    }
}

/// Reads that are under way when their leader's time ends.
fn read(dice: &mut Dice, storm_ns: u64, election_ns: u64, moment: Moment, jaw: Jaw) -> Trap {
    Trap {
        moment,
        jaw,
        armed_at_ns: dice.below(storm_ns / 2),
        skip: dice.below(40),
        delay_ns: if dice.coin() { 0 } else { dice.below(300_000) },
        lasting_ns: dice.between(election_ns * 2, election_ns * 4),
        times: dice.between(2, 6),
    }
}
