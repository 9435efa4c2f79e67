//! Courses: several blows in an order, for bugs that one blow at the worst moment does not show.
use super::aimed::{Jaw, Moment, Trap};
use detcd_runtime_sim::Dice;

/// Adds the traps of one course, or of none.
pub fn draw(dice: &mut Dice, members: usize, storm_ns: u64, election_ns: u64, traps: &mut Vec<Trap>) {
    if members < 3 {
        return;
    }
    // Figure 8 needs two pairs and one more.
    match dice.weighted(&[600, if members == 5 { 150 } else { 0 }, 120, 80]) {
        1 => figure_8(dice, election_ns, traps),
        2 => traps.push(read(dice, storm_ns, election_ns, Moment::Polling, Jaw::Stall)),
        3 => traps.push(read(dice, storm_ns, election_ns, Moment::Asking, Jaw::StallAndDepose)),
        _ => {}
    }
}

/// The course of figure 8 of the Raft paper: an entry of an earlier term gets onto a majority, and is overwritten all the
/// same. A leader and its neighbour are parted from the others, who elect another; that one is alone before it has said
/// a word. The two come back, one of them is elected and hands on what it has; as soon as it tells of a commit, they
/// are parted from the others again, and the lonely one comes back.
fn figure_8(dice: &mut Dice, election_ns: u64, traps: &mut Vec<Trap>) {
    let trap = Trap {
        moment: Moment::Replicating,
        jaw: Jaw::Pair,
        armed_at_ns: dice.between(election_ns * 2, election_ns * 6),
        skip: dice.below(10),
        delay_ns: 0,
        lasting_ns: dice.between(election_ns * 2, election_ns * 4),
        times: 1,
    };
    traps.push(trap);
    let lasting_ns = trap.lasting_ns + dice.between(election_ns, election_ns * 3);
    traps.push(Trap { moment: Moment::Elected, jaw: Jaw::Isolate, skip: 0, lasting_ns, ..trap });
    let lasting_ns = lasting_ns + dice.between(election_ns, election_ns * 3);
    traps.push(Trap { moment: Moment::Committed, skip: 0, lasting_ns, ..trap });
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
