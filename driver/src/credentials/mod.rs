//! Who somebody is: tokens, by which callers are recognised, and passwords, against which they get one. What they may do
//! is the core's to say. Source: contract-semantics 11.3, 11.4.
mod simple;

use crate::{Node, Runtime};
use detcd_core::{Edition, Moment, Refusal, Span, auth::Principal, auth::TokenChange};
use simple::SimpleTokens;
use std::{fmt, sync::Arc};

/// How callers prove who they are; told once, when a member starts.
#[derive(Clone, Debug)]
pub struct Authentication {
    pub tokens: Tokens,
    /// How much work a password's hash takes, as a power of two; 4 to 31.
    pub bcrypt_cost: u32,
}

#[derive(Clone)]
pub enum Tokens {
    /// There are none, so nobody can log in.
    None,
    /// Random words that every member keeps a list of, until they are not used for so long.
    Simple { ttl: Span },
    /// They carry their own proof.
    Signed(Arc<dyn Signer>),
}

/// Makes and checks tokens that carry their own proof. `now_secs` is the wall clock's, in seconds since 1970.
pub trait Signer: Send + Sync + 'static {
    fn sign(&self, who: &Principal, now_secs: u64) -> Result<String, Refusal>;
    /// Nobody if the proof does not hold or the token has ended.
    fn verify(&self, token: &str, now_secs: u64) -> Option<Principal>;
}

impl Default for Authentication {
    /// etcd's defaults.
    fn default() -> Authentication {
        Authentication { tokens: Tokens::Simple { ttl: Span::secs(300) }, bcrypt_cost: 10 }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tokens::None => f.write_str("None"),
            Tokens::Simple { ttl } => f.debug_struct("Simple").field("ttl", ttl).finish(),
            Tokens::Signed(_) => f.write_str("Signed"),
        }
    }
}

/// What a caller brings along to be recognised by.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    token: Option<Arc<str>>,
    /// From a certificate that was verified.
    name: Option<Arc<str>>,
}

impl Caller {
    /// `Bearer ` in front of the token is no part of it.
    pub fn with_token(token: &str) -> Caller {
        Caller { token: Some(token.strip_prefix("Bearer ").unwrap_or(token).into()), name: None }
    }

    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Somebody whose certificate was verified and has this common name. A token counts more.
    pub fn with_name(mut self, common_name: &str) -> Caller {
        self.name = Some(common_name.into());
        self
    }
}

/// What one member knows to recognise callers by.
pub(crate) struct Credentials {
    tokens: Known,
    pub bcrypt_cost: u32,
}

enum Known {
    None,
    Simple(SimpleTokens),
    Signed(Arc<dyn Signer>),
}

impl Credentials {
    pub fn new(authentication: Authentication) -> Credentials {
        let tokens = match authentication.tokens {
            Tokens::None => Known::None,
            Tokens::Simple { ttl } => Known::Simple(SimpleTokens::new(ttl)),
            Tokens::Signed(signer) => Known::Signed(signer),
        };
        Credentials { tokens, bcrypt_cost: authentication.bcrypt_cost }
    }

    /// What the log says about tokens; nothing to members whose tokens carry their own proof.
    pub fn take(&self, change: TokenChange, now: Moment) {
        if let Known::Simple(tokens) = &self.tokens {
            tokens.take(change, now);
        }
    }

    /// The random part of the next token; empty if it needs none. `secret` is what nobody can guess.
    pub fn token_prefix(&self, secret: impl FnOnce() -> [u8; 32]) -> String {
        match &self.tokens {
            Known::Simple(_) => simple::letters(secret()),
            Known::None | Known::Signed(_) => String::new(),
        }
    }

    /// The token of somebody who has logged in; `assigned` is what the log made of the prefix.
    pub fn finish(&self, assigned: String, who: &Principal, now_secs: u64) -> Result<String, Refusal> {
        match &self.tokens {
            Known::None => Err(Refusal::AuthFailed),
            Known::Simple(_) => Ok(assigned),
            Known::Signed(signer) => signer.sign(who, now_secs),
        }
    }
}

const NANOS_PER_SEC: u64 = 1_000_000_000;

impl<R: Runtime> Node<R> {
    /// The same member, asked by this caller.
    pub fn asked_by(&self, caller: Caller) -> Node<R> {
        Node(self.0.clone(), caller)
    }

    /// Who asks, and the newest state, by which that was found out. Nobody if auth is off or the caller brings
    /// nothing; [`Refusal::InvalidAuthToken`] if it is a token that this member does not know.
    pub(crate) async fn principal(&self) -> Result<(Principal, Arc<Edition>), Refusal> {
        let mut edition = self.latest();
        if !edition.view.auth.is_enabled() {
            return Ok((Principal::default(), edition));
        }
        let Some(token) = self.1.token.as_deref() else {
            let named = |name: &Arc<str>| Principal {
                name: name.to_string(),
                revision: edition.view.auth.revision(),
            };
            return Ok((self.1.name.as_ref().map(named).unwrap_or_default(), edition));
        };
        let principal = match &self.0.credentials.tokens {
            Known::None => None,
            Known::Signed(signer) => signer.verify(token, self.wall_secs()),
            Known::Simple(tokens) => {
                let index = simple::index(token).ok_or(Refusal::InvalidAuthToken)?;
                if edition.standing.applied < index {
                    self.applied(index).await?;
                    edition = self.latest();
                }
                let revision = edition.view.auth.revision();
                tokens.user(token, self.0.rt.now()).map(|name| Principal { name, revision })
            }
        };
        Ok((principal.ok_or(Refusal::InvalidAuthToken)?, edition))
    }

    pub(crate) fn wall_secs(&self) -> u64 {
        self.0.rt.wall_nanos() / NANOS_PER_SEC
    }

    /// Waits until this member has applied the entry that made a token. It may have come from a member that is ahead,
    /// or be made up.
    async fn applied(&self, index: u64) -> Result<(), Refusal> {
        let rt = &self.0.rt;
        let deadline = rt.now() + self.config().request_timeout();
        let reached =
            self.0.board.until_or(|edition| edition.standing.applied >= index, rt.sleep_until(deadline));
        match self.0.stopping.or_open(reached).await {
            Some(true) => Ok(()),
            Some(false) => Err(Refusal::InvalidAuthToken),
            None => Err(Refusal::Stopped),
        }
    }

    /// Somebody, whoever it is.
    pub(crate) async fn require_known(&self) -> Result<(), Refusal> {
        let (who, edition) = self.principal().await?;
        edition.view.auth.permit_known(&who)
    }

    /// Somebody with the role `root`.
    pub(crate) async fn require_admin(&self) -> Result<(), Refusal> {
        let (who, edition) = self.principal().await?;
        edition.view.auth.permit_admin(&who)
    }
}
