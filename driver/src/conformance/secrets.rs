//! Secrets and passwords.
//!
//! - `secret` is never the same twice.
//! - `check_password` takes the password that a hash was made of and no other, and what is no hash is the hash of none.
//!   Everybody else goes on meanwhile.
use crate::Runtime;
use bytes::Bytes;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// The least work.
const COST: u32 = 4;

pub async fn secrets<R: Runtime>(rt: &R) {
    assert_ne!(rt.secret(), rt.secret(), "a secret comes once");
    let runs = Arc::new(AtomicBool::new(false));
    let other = runs.clone();
    rt.spawn("conformance", async move { other.store(true, Ordering::SeqCst) });
    for password in ["", "secret", "$ec$ret"] {
        let hash = Bytes::from(rt.hash_password(password.to_string(), COST).await);
        assert!(rt.check_password(password.to_string(), hash.clone()).await, "{password:?} is its own");
        assert!(!rt.check_password(format!("{password}x"), hash).await, "{password:?} is no other's");
    }
    for none in [&b""[..], b"nonsense", b"\xff"] {
        let hash = Bytes::copy_from_slice(none);
        assert!(!rt.check_password(String::new(), hash).await, "{none:?} is no hash");
    }
    super::until(rt, "a task runs while somebody hashes", || runs.load(Ordering::SeqCst)).await;
}
