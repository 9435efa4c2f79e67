//! The network loses, repeats and delays more than usual, everywhere and for a while.
use super::{Kind, Trouble};
use detcd_runtime_sim::{Dice, Latency, Slot, World, links::Weather};
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Burst {
    weather: Weather,
}

impl fmt::Display for Burst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.weather.fmt(f)
    }
}

pub fn burst(dice: &mut Dice, _: usize) -> Trouble {
    let weather = Weather {
        latency: *dice.pick(&[
            Latency::new(100, 1_000, 100, 50_000),
            Latency::new(5_000, 30_000, 100, 200_000),
            Latency::new(100, 300, 300, 500_000),
        ]),
        loss_permille: *dice.pick(&[0, 50, 200, 500]),
        repeat_permille: *dice.pick(&[0, 100, 400]),
        in_order: dice.permille(300),
    };
    Trouble::Weather(Burst { weather })
}

impl Kind for Burst {
    fn name(&self) -> &'static str {
        "bad weather"
    }
    fn members(&self) -> Vec<Slot> {
        Vec::new()
    }
    fn begin(&self, world: &mut World, _: u64) {
        world.links.set_weather(self.weather);
    }
    fn end(&self, world: &mut World) {
        let fine = world.links.fine();
        world.links.set_weather(fine);
    }
}
