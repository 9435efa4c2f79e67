//! Simple tokens: sixteen random letters, a point, and the index of the entry that gave them to somebody. Every member
//! hears of them by the log and counts for itself how long they live; a member that ends forgets them.
use detcd_core::{Moment, Span, auth::TokenChange};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

const LETTERS: &[u8; 52] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Two bytes make one letter, so that none is more likely than others.
pub fn letters(secret: [u8; 32]) -> String {
    let letter = |pair: &[u8]| {
        let number = pair.iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
        char::from(LETTERS[(number * LETTERS.len()) >> 16])
    };
    secret.chunks(2).map(letter).collect()
}

/// The index in a token; nothing if it is none of this kind.
pub fn index(token: &str) -> Option<u64> {
    let (_, index) = token.split_once('.')?;
    index.bytes().all(|byte| byte.is_ascii_digit()).then(|| index.parse().ok())?
}

pub struct SimpleTokens {
    ttl: Span,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    by_token: BTreeMap<String, Holder>,
    /// When those that have ended are next thrown away.
    sweep: Moment,
}

struct Holder {
    user: String,
    /// Every use puts it off.
    end: Moment,
}

impl SimpleTokens {
    pub fn new(ttl: Span) -> SimpleTokens {
        SimpleTokens { ttl, held: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().expect("nothing panics while it holds this lock")
    }

    pub fn take(&self, change: TokenChange, now: Moment) {
        let mut held = self.lock();
        match change {
            TokenChange::Assigned { token, user } => {
                // In between there are at most twice as many as are alive.
                if held.sweep <= now {
                    held.by_token.retain(|_, holder| holder.end > now);
                    held.sweep = now + self.ttl;
                }
                held.by_token.insert(token, Holder { user, end: now + self.ttl });
            }
            TokenChange::Dropped { user } => held.by_token.retain(|_, holder| holder.user != user),
            TokenChange::AllDropped => held.by_token.clear(),
        }
    }

    /// Whose it is, if it is alive. It lives on from now.
    pub fn user(&self, token: &str, now: Moment) -> Option<String> {
        let mut held = self.lock();
        let holder = held.by_token.get_mut(token)?;
        if holder.end <= now {
            held.by_token.remove(token);
            return None;
        }
        holder.end = now + self.ttl;
        Some(holder.user.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Span = Span::secs(10);

    fn at(secs: u64) -> Moment {
        Moment(0) + Span::secs(secs)
    }

    fn given(tokens: &SimpleTokens, token: &str, user: &str, secs: u64) {
        tokens.take(TokenChange::Assigned { token: token.to_string(), user: user.to_string() }, at(secs));
    }

    #[test]
    fn a_token_lives_as_long_as_it_is_used() {
        let tokens = SimpleTokens::new(TTL);
        given(&tokens, "t.1", "ann", 0);
        given(&tokens, "u.2", "ann", 0);
        for secs in [9, 18, 27] {
            assert_eq!(tokens.user("t.1", at(secs)).as_deref(), Some("ann"));
        }
        assert_eq!(tokens.user("u.2", at(10)), None);
        assert_eq!(tokens.user("t.1", at(37)), None);
        assert_eq!(tokens.user("t.1", at(37)), None);
        assert!(tokens.lock().by_token.is_empty());
    }

    #[test]
    fn what_nobody_uses_is_not_kept_for_ever() {
        let tokens = SimpleTokens::new(TTL);
        for secs in 0..100 {
            given(&tokens, &format!("t.{secs}"), "ann", secs);
            assert!(tokens.lock().by_token.len() <= 20);
        }
    }

    #[test]
    fn a_users_tokens_go_with_the_user_and_all_with_auth() {
        let tokens = SimpleTokens::new(TTL);
        for (token, user) in [("a.1", "ann"), ("b.2", "bob"), ("c.3", "ann")] {
            given(&tokens, token, user, 0);
        }
        tokens.take(TokenChange::Dropped { user: "ann".to_string() }, at(1));
        let users = |tokens: &SimpleTokens| ["a.1", "b.2", "c.3"].map(|token| tokens.user(token, at(1)));
        assert_eq!(users(&tokens), [None, Some("bob".to_string()), None]);
        tokens.take(TokenChange::AllDropped, at(1));
        assert_eq!(users(&tokens), [None, None, None]);
    }

    #[test]
    fn tokens_are_sixteen_letters_and_an_index() {
        assert_eq!(letters([0; 32]), "a".repeat(16));
        assert_eq!(letters([0xff; 32]), "Z".repeat(16));
        assert_eq!(index("abc.17"), Some(17));
        for wrong in ["", "abc", "abc.", "abc.1.2", "abc.-1", "abc.+1", "abc.18446744073709551616", "a.b"] {
            assert_eq!(index(wrong), None, "{wrong}");
        }
    }
}
