//! The client side of etcd's API as the command line needs it, with the habits of etcd's Go client: calls wait for a
//! connection until their deadline, reads move on to another member when one is unavailable, writes are tried once,
//! a stale token is renewed.
//!
//! There is no pool, no cache and no background work but dialling: a command makes a call or two and ends.

mod address;
mod auth;
mod dial;
pub mod fault;
mod link;
mod unary;
mod watch;

use std::future::Future;
use std::time::Duration;

use detcd_proto::Message;
use detcd_proto::etcdserverpb::AuthenticateRequest;
use tokio::time::{Instant, timeout_at};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Response, Status};

pub use address::Address;
pub use fault::Fault;
pub use unary::SnapshotStream;
pub use watch::{Update, WatchReply, Watches};

use self::dial::Dialer;
use self::link::Link;
use super::exit::Exit;
use super::globals::{Identity, Settings};

/// How often a call is tried, and how long a full round over the members pauses.
const TRIES: usize = 100;
const PAUSE: Duration = Duration::from_millis(25);

/// The API version a client tells the server.
const API_VERSION: &str = "3.7";

/// Whether the call may be repeated when a member is unavailable. A write might have been done already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Retry {
    Read,
    Never,
}

/// How long a command waits.
#[derive(Clone, Copy, Debug)]
pub enum Patience {
    /// `--command-timeout`, counted from now.
    Command,
    /// Until somebody answers.
    Forever,
}

/// A cluster to talk to.
pub struct Client {
    dialer: Dialer,
    deadline: Option<Instant>,
    dial_timeout: Duration,
    identity: Identity,
    token: Option<MetadataValue<Ascii>>,
    request_limit: usize,
    response_limit: usize,
}

impl Client {
    /// Starts connecting to the endpoints of `--endpoints`. Only a user with a password waits here: for the token.
    pub async fn open(settings: &Settings, patience: Patience) -> Result<Client, Exit> {
        Client::open_at(&settings.addresses()?, settings, patience).await
    }

    /// The same for other endpoints.
    pub async fn open_at(
        addresses: &[Address],
        settings: &Settings,
        patience: Patience,
    ) -> Result<Client, Exit> {
        let deadline = match patience {
            Patience::Command => Some(Instant::now() + settings.command_timeout),
            Patience::Forever => None,
        };
        let mut client = Client {
            dialer: Dialer::start(addresses, settings)?,
            deadline,
            dial_timeout: settings.dial_timeout,
            identity: settings.identity.clone(),
            token: None,
            request_limit: settings.request_limit,
            response_limit: settings.response_limit,
        };
        client.renew_token().await.map_err(Exit::bad_connection)?;
        Ok(client)
    }

    /// One call. `rpc` makes it over the connection it is given.
    async fn unary<Q: Message + Clone, A>(
        &mut self,
        retry: Retry,
        request: Q,
        rpc: impl AsyncFn(Link, Request<Q>) -> Result<Response<A>, Status>,
    ) -> Result<A, Fault> {
        let length = request.encoded_len();
        if length > self.request_limit {
            return Err(Fault::too_large(length, self.request_limit));
        }
        let quorum = self.dialer.count() / 2 + 1;
        let mut avoid = None;
        let mut attempt = 0;
        loop {
            let (place, link) = self.link(avoid).await?;
            let message = self.request(request.clone());
            let fault = match within(self.deadline, rpc(link, message)).await? {
                Ok(response) => return Ok(response.into_inner()),
                Err(status) => self.judge(place, &status),
            };
            attempt += 1;
            if attempt == TRIES || matches!(fault, Fault::DeadlineExceeded) {
                return Err(fault);
            }
            if fault.wants_new_token() && matches!(self.identity, Identity::User { .. }) {
                self.renew_token().await?;
            } else if (fault.is_from_learner() && self.dialer.count() > 1)
                || (retry == Retry::Read && fault.is_passing())
            {
                avoid = Some(place);
            } else {
                return Err(fault);
            }
            if attempt % quorum == 0 {
                within(self.deadline, tokio::time::sleep(PAUSE)).await?;
            }
        }
    }

    /// A connection to some member, another than `avoid` where there is a choice.
    async fn link(&mut self, avoid: Option<usize>) -> Result<(usize, Link), Fault> {
        let (place, channel) = within(self.deadline, self.dialer.next(avoid)).await?;
        Ok((place, Link::new(channel, self.response_limit)))
    }

    /// A request with what every call carries: API version, token, remaining time.
    fn request<Q>(&self, message: Q) -> Request<Q> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("client-api-version", MetadataValue::from_static(API_VERSION));
        if let Some(token) = &self.token {
            request.metadata_mut().insert("token", token.clone());
        }
        if let Some(deadline) = self.deadline {
            request.set_timeout(deadline.saturating_duration_since(Instant::now()));
        }
        request
    }

    /// What a failed call means; a broken connection is dialled again.
    fn judge(&mut self, place: usize, status: &Status) -> Fault {
        let fault = Fault::from_status(status);
        if fault::is_local(status) && fault.is_passing() {
            self.dialer.lost(place);
        }
        let out_of_time = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        match fault.code() {
            tonic::Code::DeadlineExceeded | tonic::Code::Cancelled if out_of_time => Fault::DeadlineExceeded,
            _ => fault,
        }
    }

    /// Gets a token for the user, if there is one. A cluster without users gives none, and that is fine.
    async fn renew_token(&mut self) -> Result<(), Fault> {
        let (name, password) = match &self.identity {
            Identity::Nobody => return Ok(()),
            Identity::Token(token) => {
                self.token = token.parse().ok();
                return Ok(());
            }
            Identity::User { name, password } => (name.clone(), password.clone()),
        };
        self.token = None;
        let deadline = Some(Instant::now() + self.dial_timeout);
        let (place, link) = within(deadline, self.link(None)).await??;
        let mut request = self.request(AuthenticateRequest { name, password });
        request.set_timeout(self.dial_timeout);
        let answer = within(deadline, async { link.auth().authenticate(request).await }).await?;
        match answer.map_err(|status| self.judge(place, &status)) {
            Ok(response) => {
                self.token = response.into_inner().token.parse().ok();
                Ok(())
            }
            Err(fault) if fault.is_auth_off() => Ok(()),
            Err(fault) => Err(fault),
        }
    }
}

/// Waits for `work`, until the deadline if there is one.
async fn within<T>(deadline: Option<Instant>, work: impl Future<Output = T>) -> Result<T, Fault> {
    match deadline {
        Some(deadline) => timeout_at(deadline, work).await.map_err(|_| Fault::DeadlineExceeded),
        None => Ok(work.await),
    }
}
