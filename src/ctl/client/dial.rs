//! Connections to several members. All are dialled at once; the first that stands is used, the others are there when
//! it fails. Nobody gives up dialling: the command's deadline ends the wait.

use std::time::Duration;

use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};

use super::Address;
use crate::ctl::exit::Exit;
use crate::ctl::globals::Settings;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// etcd servers take pings every five seconds at most, and grpc-go never sends them more often than this.
const SHORTEST_KEEPALIVE: Duration = Duration::from_secs(10);

/// The members' connections, by the endpoint's place in the list.
pub struct Dialer {
    endpoints: Vec<Endpoint>,
    standing: Vec<Option<Channel>>,
    dialling: JoinSet<(usize, Channel)>,
    /// Whose turn it is.
    turn: usize,
}

impl Dialer {
    /// Starts dialling. Needs a tokio runtime around it.
    pub fn start(addresses: &[Address], settings: &Settings) -> Result<Dialer, Exit> {
        let tune = |address: &Address| {
            Ok(address
                .endpoint()
                .map_err(Exit::error)?
                .connect_timeout(settings.dial_timeout)
                .http2_keep_alive_interval(settings.keepalive_time.max(SHORTEST_KEEPALIVE))
                .keep_alive_timeout(settings.keepalive_timeout)
                .initial_stream_window_size(1 << 20)
                .initial_connection_window_size(1 << 22))
        };
        let endpoints = addresses.iter().map(tune).collect::<Result<Vec<_>, Exit>>()?;
        let standing = endpoints.iter().map(|_| None).collect();
        let mut dialer = Dialer { endpoints, standing, dialling: JoinSet::new(), turn: 0 };
        for place in 0..dialer.endpoints.len() {
            dialer.dial(place);
        }
        Ok(dialer)
    }

    /// How many members there are.
    pub fn count(&self) -> usize {
        self.endpoints.len()
    }

    /// A standing connection, another than `avoid` if there is one; waits for the first if none stands.
    pub async fn next(&mut self, avoid: Option<usize>) -> (usize, Channel) {
        while let Some(done) = self.dialling.try_join_next() {
            self.keep(done);
        }
        loop {
            let places = (0..self.count()).map(|step| (self.turn + step) % self.count());
            let mut standing = places.filter_map(|place| Some((place, self.standing[place].clone()?)));
            let first = standing.next();
            let chosen = match &first {
                Some((place, _)) if Some(*place) == avoid => standing.next().or(first),
                _ => first,
            };
            if let Some((place, channel)) = chosen {
                self.turn = (place + 1) % self.count();
                return (place, channel);
            }
            match self.dialling.join_next().await {
                Some(done) => self.keep(done),
                None => (0..self.count()).for_each(|place| self.dial(place)),
            }
        }
    }

    /// A connection broke: forget it and dial again.
    pub fn lost(&mut self, place: usize) {
        if self.standing[place].take().is_some() {
            self.dial(place);
        }
    }

    fn keep(&mut self, done: Result<(usize, Channel), tokio::task::JoinError>) {
        // A dialling task neither panics nor is cancelled while the set lives.
        if let Ok((place, channel)) = done {
            self.standing[place] = Some(channel);
        }
    }

    fn dial(&mut self, place: usize) {
        let endpoint = self.endpoints[place].clone();
        self.dialling.spawn(async move {
            let mut pause = FIRST_PAUSE;
            loop {
                if let Ok(channel) = endpoint.connect().await {
                    return (place, channel);
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        });
    }
}
