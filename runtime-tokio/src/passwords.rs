//! Passwords and bcrypt, on threads that may be busy: the work is slow by intent.
use bytes::Bytes;
use std::{sync::Arc, thread};
use tokio::{
    sync::{AcquireError, Semaphore},
    task::spawn_blocking,
};

/// So many passwords are worked on at once that at least half of the cores are left for everything else.
#[derive(Clone)]
pub struct Hashers(Arc<Semaphore>);

impl Default for Hashers {
    fn default() -> Hashers {
        let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
        Hashers(Arc::new(Semaphore::new((cores / 2).max(1))))
    }
}

impl Hashers {
    /// `$2a$…`, as Go writes it.
    pub async fn hash(&self, password: String, cost: u32) -> String {
        self.run(move || {
            let parts = bcrypt::hash_with_result(password, cost)
                .expect("the cost was checked when it was read, and the system gives a salt");
            parts.format_for_version(bcrypt::Version::TwoA)
        })
        .await
    }

    pub async fn check(&self, password: String, hash: Bytes) -> bool {
        self.run(move || {
            let hash = std::str::from_utf8(&hash).unwrap_or_default();
            bcrypt::verify(password, hash).unwrap_or(false)
        })
        .await
    }

    /// Whoever goes away while their work is done does not make place for another before it ends.
    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let place = self.0.clone().acquire_owned().await;
        let place = place.unwrap_or_else(|AcquireError { .. }| unreachable!("nobody closes it"));
        let task = spawn_blocking(move || {
            let done = work();
            drop(place);
            done
        });
        task.await.expect("the work does not panic, and is not cancelled")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_belongs_to_one_password() {
        let hashers = Hashers::default();
        let hash = hashers.hash("secret".to_string(), 4).await;
        assert!(hash.starts_with("$2a$04$"), "{hash}");
        let hash = Bytes::from(hash);
        assert!(hashers.check("secret".to_string(), hash.clone()).await);
        assert!(!hashers.check("Secret".to_string(), hash).await);
        let empty = Bytes::from(hashers.hash(String::new(), 4).await);
        assert!(hashers.check(String::new(), empty).await);
        for none in [&b""[..], b"secret", b"$2a$04$", b"$2a$99$aaaa", b"\xff"] {
            assert!(!hashers.check(String::new(), Bytes::copy_from_slice(none)).await);
        }
    }
}
